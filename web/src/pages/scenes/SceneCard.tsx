import { Group, Stack, Text } from "@mantine/core";
import type { SceneRow } from "../../client";
import { formatNumber } from "../../components/format";
import { Instant, Span } from "../../components/Instant";
import { MetricValue } from "../../components/MetricValue";
import { SceneProgress } from "./SceneProgress";
import { SceneLink, shortInstruments } from "./sceneColumns";

const SHORT = { sharpe: "sharpe", total_return: "return", max_drawdown: "drawdown" };

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
        {row.kind === "train" ? "training" : row.strategies.join(", ")} · {shortInstruments(row.instruments)}{" "}
        · {row.interval}
      </Text>
      <Text size="xs" className="mela-muted" truncate>
        <Span start={row.start} end={row.end} /> · {formatNumber(row.runs, "count")}{" "}
        {row.runs === 1 ? "run" : "runs"}
      </Text>
      {row.best_metrics && (
        <Group gap={7} wrap="nowrap">
          {(["sharpe", "total_return", "max_drawdown"] as const).map((name) => (
            <Text key={name} size="xs" component="span" style={{ whiteSpace: "nowrap" }}>
              <span className="mela-muted">{SHORT[name]} </span>
              <MetricValue name={name} value={row.best_metrics?.[name]} />
            </Text>
          ))}
        </Group>
      )}
    </Stack>
  );
}
