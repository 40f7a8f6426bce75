import { Alert, Button, Group, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { FlaskConical } from "lucide-react";
import { lazy, Suspense } from "react";
import { patiently } from "../../apiReturn";
import type { StrategyDetail } from "../../client";
import { getStrategyOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { formatParam } from "../../components/format";
import { Instant } from "../../components/Instant";
import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";
import { Panel } from "../../components/Panel";
import { Sideways } from "../../components/Sideways";
import { may, useMe } from "../../session";
import { type Parameter, parametersOf } from "./parameters";
import { VerdictBadge } from "./VerdictBadge";

const Source = lazy(() => patiently(() => import("./Source")));
const route = getRouteApi("/inside/strategies/$name");

/** One strategy: what it does, its parameters, its source, its check, its record. */
export default function StrategyPage() {
  const { name } = route.useParams();
  const found = useQuery(getStrategyOptions({ path: { name } }));
  if (!hasAnswer(found)) return <Unanswered to={found} />;
  const { data } = found;
  return <Shown strategy={data} />;
}

function Shown({ strategy }: { strategy: StrategyDetail }) {
  const me = useMe();
  return (
    <Stack gap="md">
      <title>{`${strategy.name} · Mela`}</title>
      <Group justify="space-between" align="flex-start">
        <div>
          <Group gap="sm">
            <Title order={1}>{strategy.name}</Title>
            <VerdictBadge verdict={strategy.lookahead} />
          </Group>
          <Text size="sm" className="mela-muted">
            {strategy.origin === "mela" ? "brought by Mela" : `from ${strategy.origin}`} ·{" "}
            {strategy.warmup === null
              ? "warm-up depends on its parameters"
              : `${strategy.warmup} candles of warm-up`}
            {strategy.inputs && ` · reads ${strategy.inputs}`} · {strategy.runs.toLocaleString("en-US")}{" "}
            stored results of this source
          </Text>
        </div>
        {may(me, "trader") && (
          <Button
            leftSection={<FlaskConical size={14} aria-hidden />}
            renderRoot={(props) => <Link {...props} to="/scenes/new" search={{ strategy: strategy.name }} />}
          >
            Use in a new scene
          </Button>
        )}
      </Group>
      <Panel title="What it does">
        {strategy.description.split(/\n{2,}/).map((paragraph) => (
          <Text key={paragraph} size="sm" mb="xs">
            {paragraph}
          </Text>
        ))}
      </Panel>
      <Panel title="Parameters">
        <Parameters parameters={parametersOf(strategy.schema, strategy.defaults)} />
      </Panel>
      <Panel title="Last lookahead check">
        <Check strategy={strategy} />
      </Panel>
      <Panel title="Record">
        <Record strategy={strategy} />
      </Panel>
      <Panel
        title="Source"
        aside={
          <Text size="xs" className="mela-muted mela-code">
            {strategy.file} · {strategy.digest.slice(0, 16)}
          </Text>
        }
      >
        <Suspense fallback={<Skeleton height={320} />}>
          <Source source={strategy.source} label={`Source of ${strategy.name}`} />
        </Suspense>
      </Panel>
    </Stack>
  );
}

function Parameters({ parameters }: { parameters: readonly Parameter[] }) {
  if (parameters.length === 0) return <Text className="mela-muted">It has none.</Text>;
  return (
    <Sideways label="Table: Parameters">
      <Table verticalSpacing={4} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Name</Table.Th>
            <Table.Th scope="col">Type</Table.Th>
            <Table.Th scope="col" className="mela-number">
              Default
            </Table.Th>
            <Table.Th scope="col">Bounds</Table.Th>
            <Table.Th scope="col">Means</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {parameters.map((one) => (
            <Table.Tr key={one.name}>
              <Table.Th scope="row" className="mela-code">
                {one.name}
              </Table.Th>
              <Table.Td>{one.type}</Table.Td>
              <Table.Td className="mela-number">
                {one.fallback === undefined ? "must be given" : formatParam(one.fallback)}
              </Table.Td>
              <Table.Td>{one.bounds}</Table.Td>
              <Table.Td miw={220} style={{ whiteSpace: "normal" }}>
                {one.description}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sideways>
  );
}

function Check({ strategy }: { strategy: StrategyDetail }) {
  const { check } = strategy;
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <VerdictBadge verdict={check.verdict} />
        {check.checked_at && (
          <Text size="sm" className="mela-muted">
            checked <Instant at={check.checked_at} /> UTC
          </Text>
        )}
      </Group>
      <Text size="sm">{check.message}</Text>
      {check.verdict === "not_verified" && (
        <Text size="sm" className="mela-muted">
          The command <span className="mela-code">mela check {strategy.name}</span> puts it to the test.
        </Text>
      )}
      {check.verdict === "found" && (
        <Alert color="red" variant="light">
          Results of this strategy are not to be believed.
        </Alert>
      )}
    </Stack>
  );
}

function Record({ strategy }: { strategy: StrategyDetail }) {
  if (strategy.record.length === 0) {
    return <EmptyState title="No finished scene has asked for it yet" />;
  }
  return (
    <Sideways label="Table: Record">
      <Table verticalSpacing={4} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Scene</Table.Th>
            <Table.Th scope="col">Instruments</Table.Th>
            <Table.Th scope="col">Ranked by</Table.Th>
            <Table.Th scope="col" className="mela-number">
              Best
            </Table.Th>
            <Table.Th scope="col">Owner</Table.Th>
            <Table.Th scope="col">Finished</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {strategy.record.map((one) => (
            <Table.Tr key={one.scene_id}>
              <Table.Td>
                <Link to="/scenes/$sceneId" params={{ sceneId: one.scene_id }} className="mela-quiet-link">
                  {one.name ?? one.scene_id.slice(0, 8)}
                </Link>
              </Table.Td>
              <Table.Td>
                {one.instruments.length > 3
                  ? `${one.instruments.length} instruments`
                  : one.instruments.join(", ")}{" "}
                {one.interval}
              </Table.Td>
              <Table.Td>
                <MetricName name={one.rank_by} />
              </Table.Td>
              <Table.Td className="mela-number">
                <MetricValue name={one.rank_by} value={one.best} />
              </Table.Td>
              <Table.Td>{one.owner ?? "–"}</Table.Td>
              <Table.Td>
                <Instant at={one.finished_at} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sideways>
  );
}
