import { Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { SceneDetail } from "../../client";
import { formatNumber } from "../../components/format";
import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";
import { metricLabel } from "../../components/metrics";
import { Panel } from "../../components/Panel";
import styles from "./Scene.module.css";
import { hasEnded } from "./states";

const SHOWN = ["sharpe", "total_return", "max_drawdown", "trades"] as const;

/** Whether each window of a scene has a best run of its own: the report judges that of the last one. */
export function hasWindows(scene: Pick<SceneDetail, "scene">): boolean {
  const search = scene.scene.search as { validation?: { kind?: string } | null } | null | undefined;
  return search?.validation?.kind === "walk_forward";
}

/** The best run, so far or at the end. */
export function Outcome({ scene }: { scene: SceneDetail }) {
  const best = scene.best_metrics;
  if (!best || !scene.best_run_key) return null;
  const isOne = scene.runs === 1;
  const inWindows = hasWindows(scene);
  const whole = inWindows ? "The best run of any window" : "The best run";
  const title = isOne ? "The run" : hasEnded(scene.state) ? whole : `${whole} so far`;
  const isOther = !(SHOWN as readonly string[]).includes(scene.rank_by);
  return (
    <Panel
      title={title}
      aside={
        <Link to="/runs/$runKey" params={{ runKey: scene.best_run_key }} className="mela-quiet-link">
          Open the run
        </Link>
      }
    >
      <div className={styles.tiles}>
        {isOther && (
          <div className={styles.tile}>
            <MetricName name={scene.rank_by} />
            <div className={styles.value}>
              <MetricValue name={scene.rank_by} value={scene.best} />
            </div>
          </div>
        )}
        {SHOWN.map((name) => (
          <div key={name} className={styles.tile}>
            <MetricName name={name} />
            <div className={styles.value} data-metric={name}>
              <MetricValue name={name} value={best[name]} />
            </div>
          </div>
        ))}
        {!isOne && (
          <div className={styles.tile}>
            <span className="mela-muted">Runs</span>
            <div className={styles.value}>{formatNumber(scene.runs, "count")}</div>
          </div>
        )}
      </div>
      {!isOne && (
        <Group mt="xs" gap="xs">
          <Text size="sm" className="mela-muted">
            Best of {formatNumber(scene.recorded, "count")} by {metricLabel(scene.rank_by)}
            {inWindows && ", each on its own window. The report judges the run that the last window chose"}.
            {scene.cached > 0 && ` ${formatNumber(scene.cached, "count")} were answered from the store.`}
            {scene.skipped > 0 &&
              ` ${formatNumber(scene.skipped, "count")} combinations were left out, as the strategy does not accept them.`}
            {scene.cancelled > 0 && ` ${formatNumber(scene.cancelled, "count")} were cancelled.`}
          </Text>
        </Group>
      )}
    </Panel>
  );
}
