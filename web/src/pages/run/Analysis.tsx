import { Alert } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { curvesOption } from "../../charts/curves";
import { distributionOption } from "../../charts/distribution";
import { EChart, type MakeOption } from "../../charts/EChart";
import type { RunAnalysis } from "../../client";
import { getAnalysisOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { asSentence } from "../../components/format";
import { InMoney, Panel } from "../../components/Panel";
import { Drawdowns } from "./Drawdowns";
import { AllGroups } from "./Groups";
import { MonthTable } from "./MonthTable";
import styles from "./Run.module.css";

/** A run in parts: months, drawdowns, rolling Sharpe ratio, distribution, groups of trades. */
export function Analysis({ runKey, quote }: { runKey: string; quote: string }) {
  const found = useQuery({
    ...getAnalysisOptions({ path: { run_key: runKey } }),
    staleTime: 300_000,
  });
  if (!hasAnswer(found)) return <Unanswered to={found} what="This run" />;
  const { data } = found;
  if (!data.has_curve) {
    return (
      <Alert variant="light" color="gray" title="Of this run only the metrics are stored">
        {asSentence(data.without_curve ?? "")}
      </Alert>
    );
  }
  return <Parts analysis={data} quote={quote} />;
}

function Parts({ analysis, quote }: { analysis: RunAnalysis; quote: string }) {
  return (
    <>
      <Panel title="Returns by month">
        <MonthTable returns={analysis.monthly_returns} />
      </Panel>
      <div className={styles.columns}>
        <Panel title="Worst drawdowns">
          <Drawdowns drawdowns={analysis.worst_drawdowns} />
        </Panel>
        <Panel title={rollingTitle(analysis.rolling_periods)}>
          <RollingSharpe analysis={analysis} />
        </Panel>
        <Panel title="Daily returns">
          <Distribution analysis={analysis} />
        </Panel>
      </div>
      <Panel title="Trades by group" aside={<InMoney quote={quote} />}>
        <AllGroups
          byReason={analysis.by_reason}
          bySide={analysis.by_side}
          byMonth={analysis.by_month}
          byWeekday={analysis.by_weekday}
          byHour={analysis.by_hour}
        />
      </Panel>
    </>
  );
}

function RollingSharpe({ analysis }: { analysis: RunAnalysis }) {
  const { t, v } = analysis.rolling_sharpe;
  const option = useCallback<MakeOption>(
    (palette, isSmall) =>
      curvesOption({ curves: [{ name: "", t, v }], level: 0, format: twoDecimals }, palette, isSmall),
    [t, v],
  );
  if (!v.some((value) => value !== null)) {
    return <p className="mela-muted">The run is too short for a window of its own.</p>;
  }
  const known = v.filter((value): value is number => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const label = `Rolling Sharpe ratio, from ${low.toFixed(2)} to ${high.toFixed(2)}`;
  return <EChart label={label} height={220} option={option} />;
}

function rollingTitle(periods: number): string {
  return periods > 0 ? `Sharpe ratio of the last ${periods} periods` : "Rolling Sharpe ratio";
}

function twoDecimals(value: number): string {
  return value.toFixed(2);
}

function Distribution({ analysis }: { analysis: RunAnalysis }) {
  const { edges, counts } = analysis.return_distribution;
  const option = useCallback<MakeOption>(
    (palette) => distributionOption(edges, counts, palette),
    [edges, counts],
  );
  if (counts.length === 0) return <p className="mela-muted">There are too few days to count.</p>;
  const days = counts.reduce((sum, count) => sum + count, 0);
  return <EChart label={`Histogram of ${days} daily returns`} height={220} option={option} />;
}
