import { useQuery } from "@tanstack/react-query";
import type { MetricDefinition } from "../client";
import { listMetricsOptions } from "../client/@tanstack/react-query.gen";
import titles from "./metricTitles.json";

/** Return the metrics by name; empty until they are read. They change with a release only. */
export function useMetrics(): ReadonlyMap<string, MetricDefinition> {
  const { data } = useQuery({
    ...listMetricsOptions(),
    staleTime: Number.POSITIVE_INFINITY,
    select: byName,
  });
  return data ?? NONE;
}

const NONE: ReadonlyMap<string, MetricDefinition> = new Map();

function byName(answer: { items: MetricDefinition[] }): ReadonlyMap<string, MetricDefinition> {
  return new Map(answer.items.map((metric) => [metric.name, { ...metric, unit: unitOf(metric) }]));
}

/** Return how a metric is written. Of those per year, only turnover is not a fraction of something. */
function unitOf({ name, unit }: MetricDefinition): string {
  return unit === "per year" && name !== "turnover" ? "fraction per year" : unit;
}

const TITLES: Readonly<Record<string, string>> = titles;

/** Name a metric as people read it: `max_drawdown` is `Max drawdown`. */
export function metricLabel(name: string): string {
  return TITLES[name] ?? name.replaceAll("_", " ");
}

const GAINS = new Set([
  "total_return",
  "cagr",
  "buy_hold_return",
  "alpha",
  "expectancy",
  "avg_trade",
  "best_trade",
  "worst_trade",
  "max_drawdown",
  "avg_drawdown",
]);

/** Say whether a metric is a gain or a loss, which is shown by sign and colour. */
export function isChange(name: string): boolean {
  return GAINS.has(name);
}
