import { Group, Stack, Text } from "@mantine/core";
import type { SceneRow } from "../../client";
import { Instant } from "../../components/Instant";
import { MetricValue } from "../../components/MetricValue";
import { metricLabel } from "../../components/metrics";
import { SceneProgress } from "./SceneProgress";
import { SceneLink, shortInstruments } from "./sceneColumns";

/** A scene on a phone. */
export function SceneCard({ row }: { row: SceneRow }) {
  return (
    <Stack gap={3}>
      <SceneLink row={row} />
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <SceneProgress row={row} />
        <Text size="xs" className="mela-muted">
          {row.owner} · <Instant at={row.received_at} as="ago" />
        </Text>
      </Group>
      <Text size="xs" className="mela-muted" truncate>
        {row.strategies.join(", ")} · {shortInstruments(row.instruments)} · {row.interval}
      </Text>
      {row.best_metrics && (
        <Group gap="md">
          {(["sharpe", "total_return", "max_drawdown"] as const).map((name) => (
            <Text key={name} size="xs" component="span">
              <span className="mela-muted">{metricLabel(name)} </span>
              <MetricValue name={name} value={row.best_metrics?.[name]} />
            </Text>
          ))}
        </Group>
      )}
    </Stack>
  );
}
