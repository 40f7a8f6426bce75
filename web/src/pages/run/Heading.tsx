import { Button, Group, Menu, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { CandlestickChart, Download, FlaskConical, Printer } from "lucide-react";
import { address } from "../../api";
import type { RunDetail } from "../../client";
import { formatParam } from "../../components/format";
import { Instant, Span } from "../../components/Instant";
import { StateBadge } from "../../components/StateBadge";
import { leavesOf } from "./terms";

/** What the run is, the scenes that asked for it, and what one can take away. */
export function Heading({ detail, canAsk }: { detail: RunDetail; canAsk: boolean }) {
  const { run, result, run_key: runKey, scenes } = detail;
  const params = leavesOf(run.params).map((one) => `${one.path} ${formatParam(one.value)}`);
  const scene = scenes[0];
  return (
    <Group justify="space-between" align="flex-start" gap="sm">
      <div>
        <Group gap="sm">
          <Title order={1}>
            {run.strategy} on{" "}
            {run.instruments.length > 3
              ? `${run.instruments.length} instruments`
              : run.instruments.join(", ")}
          </Title>
          <StateBadge state={result.status} />
        </Group>
        <Text>
          {run.interval} · <Span start={run.start} end={run.end} /> · {params.join(", ") || "no parameters"}
        </Text>
        <Text size="sm" className="mela-muted">
          {result.candles.toLocaleString("en-US")} candles, computed{" "}
          <Instant at={result.computed_at} as="ago" />
          {scenes.length > 0 && " for "}
          {scenes.slice(0, 4).map((one, place) => (
            <span key={one.scene_id}>
              {place > 0 && ", "}
              <Link to="/scenes/$sceneId" params={{ sceneId: one.scene_id }} className="mela-quiet-link">
                {one.name ?? one.scene_id.slice(0, 8)}
              </Link>
              {one.rank !== null && ` (rank ${one.rank})`}
            </span>
          ))}
          {scenes.length > 4 && ` and ${scenes.length - 4} more`}
        </Text>
      </div>
      <Group gap="xs" className="mela-no-print">
        {canAsk && scene && (
          <Button
            variant="default"
            size="xs"
            leftSection={<FlaskConical size={14} aria-hidden />}
            renderRoot={(props) => <Link {...props} to="/scenes/new" search={{ from: scene.scene_id }} />}
          >
            Start from its scene
          </Button>
        )}
        {canAsk && result.failure === null && (
          <Button
            variant="default"
            size="xs"
            leftSection={<CandlestickChart size={14} aria-hidden />}
            renderRoot={(props) => <Link {...props} to="/trading/new" search={{ run: runKey }} />}
          >
            Trade this on paper
          </Button>
        )}
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" size="xs" leftSection={<Download size={14} aria-hidden />}>
              Export
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item component="a" href={address(`/runs/${runKey}/trades.csv`)} download>
              Trades as CSV
            </Menu.Item>
            <Menu.Item component="a" href={address(`/runs/${runKey}/export.json`)} download>
              All of the run as JSON
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <Button
          variant="default"
          size="xs"
          leftSection={<Printer size={14} aria-hidden />}
          onClick={() => window.print()}
        >
          Print
        </Button>
      </Group>
    </Group>
  );
}
