import { useEffect, useState } from "react";
import { formatDuration } from "./format";
import { Instant } from "./Instant";

interface Props {
  at: string | null;
  /** Seconds after which it is old: it is marked, with a word too. */
  oldAfter?: number;
}

/** How long ago something happened, counted on while one looks at it. */
export function Age({ at, oldAfter = Number.POSITIVE_INFINITY }: Props) {
  const now = useNow();
  if (at === null) return <span>–</span>;
  const seconds = Math.max(0, (now - Date.parse(at)) / 1_000);
  const isOld = seconds > oldAfter;
  return (
    <span className={isOld ? "mela-loss" : undefined}>
      {seconds < 1 ? "just now" : `${formatDuration(seconds)} ago`}
      {isOld && ", late"}
    </span>
  );
}

/** An instant, and when we heard of it: both differ where the market is replayed. */
export function Heard({
  at,
  heardAt,
  oldAfter,
}: {
  at: string | null;
  heardAt: string | null;
  oldAfter: number;
}) {
  if (at === null) return <span>none yet</span>;
  return (
    <>
      <Instant at={at} /> (<Age at={heardAt ?? at} oldAfter={oldAfter} />)
    </>
  );
}

/** Return the time, which goes on by the second. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
