import { Progress as Bar, Group, Text } from "@mantine/core";
import type { SceneDetail } from "../../client";
import { formatDuration, formatNumber } from "../../components/format";
import { Panel } from "../../components/Panel";
import { useLatest } from "../../useEvents";
import { hasEnded } from "./states";

/** How much of a scene is answered, how fast, and how long it will still take. */
export function Progress({ scene }: { scene: SceneDetail }) {
  const latest = useLatest(scene.scene_id);
  if (hasEnded(scene.state)) return null;
  const done = scene.recorded + scene.cancelled;
  const isNewer = latest !== undefined && latest.version >= scene.version;
  const rate = isNewer ? latest.rate_per_s : scene.rate_per_s;
  const remaining = isNewer ? latest.remaining_s : scene.remaining_s;
  const count = (value: number) => formatNumber(value, "count");
  return (
    <Panel>
      <Group justify="space-between" gap="xs" mb={6}>
        <Text fw={550} data-progress={done}>
          {scene.state === "received"
            ? "Waiting to be planned"
            : `${count(done)} of ${count(scene.runs)} runs answered`}
        </Text>
        <Text size="sm" className="mela-muted">
          {[
            rate !== null && `${formatNumber(rate)} a second`,
            remaining !== null && `about ${formatDuration(remaining)} left`,
            scene.cached > 0 && `${count(scene.cached)} from the store`,
            scene.failed > 0 && `${count(scene.failed)} failed`,
          ]
            .filter(Boolean)
            .join(" · ")}
        </Text>
      </Group>
      <Bar value={scene.runs ? (100 * done) / scene.runs : 0} aria-label="Answered runs" size="sm" animated />
    </Panel>
  );
}
