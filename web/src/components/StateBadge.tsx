import {
  Ban,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CircleX,
  Hourglass,
  LoaderCircle,
  OctagonX,
  TriangleAlert,
} from "lucide-react";
import styles from "./StateBadge.module.css";

const STATES = {
  received: { label: "received", tone: "quiet", Icon: Hourglass },
  queued: { label: "queued", tone: "quiet", Icon: Hourglass },
  planned: { label: "running", tone: "live", Icon: LoaderCircle },
  running: { label: "running", tone: "live", Icon: LoaderCircle },
  finished: { label: "finished", tone: "good", Icon: CircleCheck },
  success: { label: "done", tone: "good", Icon: CircleCheck },
  succeeded: { label: "succeeded", tone: "good", Icon: CircleCheck },
  failed: { label: "failed", tone: "bad", Icon: CircleX },
  rejected: { label: "rejected", tone: "bad", Icon: CircleX },
  cancelled: { label: "cancelled", tone: "quiet", Icon: Ban },
  starting: { label: "starting", tone: "live", Icon: LoaderCircle },
  paused: { label: "paused", tone: "warn", Icon: CirclePause },
  stopping: { label: "stopping", tone: "live", Icon: LoaderCircle },
  stopped: { label: "stopped", tone: "quiet", Icon: Ban },
  active: { label: "active", tone: "good", Icon: CircleCheck },
  reducing: { label: "reducing only", tone: "warn", Icon: TriangleAlert },
  halted: { label: "halted", tone: "bad", Icon: OctagonX },
  // of an order
  intended: { label: "intended", tone: "quiet", Icon: Hourglass },
  submitted: { label: "submitted", tone: "live", Icon: Hourglass },
  accepted: { label: "accepted", tone: "live", Icon: Hourglass },
  partly_filled: { label: "partly filled", tone: "live", Icon: CircleDashed },
  filled: { label: "filled", tone: "good", Icon: CircleCheck },
  expired: { label: "expired", tone: "quiet", Icon: Ban },
  unknown: { label: "unknown", tone: "warn", Icon: TriangleAlert },
  warning: { label: "warning", tone: "warn", Icon: TriangleAlert },
} as const;

/** The state of a scene, a run, a trading session, an order or a load: a shape, a word and a colour. */
export function StateBadge({ state }: { state: string }) {
  const known = STATES[state as keyof typeof STATES];
  const { label, tone, Icon } = known ?? {
    label: state.replaceAll("_", " "),
    tone: "quiet",
    Icon: CircleDashed,
  };
  return (
    <span className={styles.badge} data-tone={tone}>
      <Icon size={14} aria-hidden />
      {label}
    </span>
  );
}
