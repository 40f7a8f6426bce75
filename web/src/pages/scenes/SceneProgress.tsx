import { Progress, Stack, Tooltip } from "@mantine/core";
import type { SceneRow } from "../../client";
import { formatNumber } from "../../components/format";
import { StateBadge } from "../../components/StateBadge";
import { freshened } from "../../events";
import { useLatest } from "../../useEvents";

/** Return the state of a scene in a word: one whose every run failed has failed. */
export function outcomeOf(row: Pick<SceneRow, "state" | "failed" | "recorded">): string {
  const isAllFailed = row.state === "finished" && row.failed > 0 && row.failed === row.recorded;
  return isAllFailed ? "failed" : row.state;
}

/** The state of a scene as it is now; while it runs, how much of it is answered. */
export function SceneProgress({ row: read }: { row: SceneRow }) {
  const row = freshened(read, useLatest(read.scene_id));
  if (row.state === "rejected") {
    const why = row.rejection ? [row.rejection.field, row.rejection.message].filter(Boolean).join(": ") : "";
    return (
      <Tooltip label={why} disabled={!why}>
        <span>
          <StateBadge state="rejected" />
        </span>
      </Tooltip>
    );
  }
  if (row.state !== "planned" || row.runs === 0) {
    return <StateBadge state={outcomeOf(row)} />;
  }
  const done = row.recorded + row.cancelled;
  return (
    <Stack gap={2}>
      <span>
        <StateBadge state="running" />{" "}
        <span className="mela-muted" data-progress={done}>
          {formatNumber(done, "count")} of {formatNumber(row.runs, "count")}
        </span>
      </span>
      <Progress value={(100 * done) / row.runs} size={3} aria-label="Answered runs" />
    </Stack>
  );
}
