import { Tooltip } from "@mantine/core";
import { Radio, RefreshCw } from "lucide-react";
import { useStreamState } from "../useEvents";
import styles from "./StateBadge.module.css";

/** Say whether the page follows what happens, or has lost its connection. */
export function LiveState() {
  const state = useStreamState();
  if (state === "off") return null;
  if (state === "open") {
    return (
      <Tooltip label="What happens appears here by itself.">
        <span className={styles.badge} data-tone="good" role="status" data-stream="open">
          <Radio size={14} aria-hidden />
          live
        </span>
      </Tooltip>
    );
  }
  const isFirst = state === "connecting";
  return (
    <Tooltip label={isFirst ? "Connecting to Mela." : "The connection is cut. Mela tries again by itself."}>
      <span className={styles.badge} data-tone={isFirst ? "quiet" : "warn"} role="status" data-stream={state}>
        <RefreshCw size={14} aria-hidden />
        {isFirst ? "connecting" : "reconnecting"}
      </span>
    </Tooltip>
  );
}
