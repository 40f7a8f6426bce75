import { Tooltip } from "@mantine/core";
import { formatAgo, formatDay, formatInstant } from "./format";

interface Props {
  at: string | number | null | undefined;
  /** `instant` (default), only the `day`, or how long `ago`. */
  as?: "instant" | "day" | "ago";
}

/** An instant in UTC; the reader's own time and the whole instant appear on hover. */
export function Instant({ at, as = "instant" }: Props) {
  if (at === null || at === undefined) return <span>–</span>;
  const value = new Date(at);
  const text =
    as === "day" ? formatDay(value) : as === "ago" ? formatAgo(value.toISOString()) : formatInstant(value);
  return (
    <Tooltip label={`${formatInstant(value)} UTC · ${localTime(value)}`}>
      <time dateTime={value.toISOString()} style={{ whiteSpace: "nowrap" }}>
        {text}
      </time>
    </Tooltip>
  );
}

function localTime(value: Date): string {
  return value.toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
  });
}

/** A span, its end exclusive: `2023-01-01 – 2024-01-01`. */
export function Span({ start, end }: { start: string | null; end: string | null }) {
  if (!start || !end) return <span>–</span>;
  const isDays = [start, end].every((at) => Date.parse(at) % 86_400_000 === 0);
  const as = isDays ? "day" : "instant";
  return (
    <span style={{ whiteSpace: "nowrap" }}>
      <Instant at={start} as={as} /> – <Instant at={end} as={as} />
    </span>
  );
}
