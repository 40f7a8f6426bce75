import { Alert, List, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { useCallback, useMemo } from "react";
import { curvesOption } from "../../charts/curves";
import { EChart, type MakeOption } from "../../charts/EChart";
import { usePalette } from "../../charts/usePalette";
import type { Comparison } from "../../client";
import { compareRunsOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { Panel } from "../../components/Panel";
import { StateBadge } from "../../components/StateBadge";
import styles from "./Compare.module.css";
import { Differences } from "./Differences";
import { FirstTrade } from "./FirstTrade";
import { MetricTable } from "./MetricTable";

const route = getRouteApi("/inside/compare");

/** Several runs side by side: what differs in the question, and what in the answer. */
export default function ComparePage() {
  const { run = [], scene = [] } = route.useSearch();
  const count = run.length + scene.length;
  const found = useQuery({
    ...compareRunsOptions({ query: { run, scene, points: 800 } }),
    enabled: count > 0,
  });
  if (count === 0) {
    return (
      <EmptyState title="Nothing to compare yet">
        Select two or more <Link to="/scenes">scenes</Link>, or runs of a scene, and press Compare.
      </EmptyState>
    );
  }
  if (!hasAnswer(found)) return <Unanswered to={found} what="Some of this" />;
  const { data } = found;
  return <Shown comparison={data} />;
}

function Shown({ comparison }: { comparison: Comparison }) {
  const { runs, curves } = comparison;
  return (
    <Stack gap="md">
      <title>Compare · Mela</title>
      <Title order={1}>{runs.length === 1 ? "One run" : `${runs.length} runs compared`}</Title>
      <Sides comparison={comparison} />
      <Warned comparison={comparison} />
      <Panel title="What differs in the question">
        <Differences comparison={comparison} />
      </Panel>
      <Panel title="Equity over opening cash">
        {curves.t.length > 0 ? (
          <Curves comparison={comparison} />
        ) : (
          <Text className="mela-muted">None of these runs has a stored curve.</Text>
        )}
        {runs.some((one) => !one.has_curve) && curves.t.length > 0 && (
          <Text size="sm" className="mela-muted">
            Without a stored curve:{" "}
            {runs
              .filter((one) => !one.has_curve)
              .map((one) => one.label)
              .join(", ")}
          </Text>
        )}
      </Panel>
      <Panel title="Metrics">
        <MetricTable comparison={comparison} />
      </Panel>
      {runs.length > 1 && (
        <Panel title="First trade that differs">
          <FirstTrade comparison={comparison} />
        </Panel>
      )}
    </Stack>
  );
}

function Sides({ comparison }: { comparison: Comparison }) {
  const palette = usePalette();
  return (
    <ol className={styles.sides}>
      {comparison.runs.map((one, place) => (
        <li key={one.run_key} className="mela-panel">
          <span
            className={styles.swatch}
            style={{ background: palette.lines[place % palette.lines.length] }}
            aria-hidden
          />
          <div>
            <Link to="/runs/$runKey" params={{ runKey: one.run_key }} className="mela-quiet-link">
              {one.label}
            </Link>
            <Text size="xs" className="mela-muted">
              {one.strategy} on{" "}
              {one.instruments.length > 2
                ? `${one.instruments.length} instruments`
                : one.instruments.join(", ")}
              , {one.interval}, in{" "}
              <Link to="/scenes/$sceneId" params={{ sceneId: one.scene_id }} className="mela-quiet-link">
                {one.scene_name ?? one.scene_id.slice(0, 8)}
              </Link>
            </Text>
            {one.status !== "succeeded" && <StateBadge state={one.status} />}
          </div>
        </li>
      ))}
    </ol>
  );
}

function Warned({ comparison }: { comparison: Comparison }) {
  const said = comparison.runs.flatMap((one) =>
    one.warnings.map((warning) => ({ label: one.label, warning })),
  );
  if (said.length === 0) return null;
  return (
    <Alert
      color="yellow"
      variant="light"
      icon={<TriangleAlert size={18} aria-hidden />}
      title="Warnings of these runs"
    >
      <List size="sm">
        {said.map(({ label, warning }) => (
          <List.Item key={`${label}${warning}`}>
            <b>{label}</b>: {warning.replaceAll("_", " ")}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}

function Curves({ comparison }: { comparison: Comparison }) {
  const { runs, curves } = comparison;
  const named = useMemo(
    () => runs.map((one, place) => ({ name: one.label, t: curves.t, v: curves.values[place] ?? [] })),
    [runs, curves],
  );
  const option = useCallback<MakeOption>(
    (palette, isSmall) =>
      curvesOption({ curves: named, level: 1, isZoomable: true, format: twoDecimals }, palette, isSmall),
    [named],
  );
  return <EChart label={`Equity of ${runs.length} runs over each other`} height={360} option={option} />;
}

function twoDecimals(value: number): string {
  return value.toFixed(2);
}
