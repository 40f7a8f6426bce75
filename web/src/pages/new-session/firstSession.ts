import { stringify } from "yaml";
import type { RunQuestion, SeriesRow } from "../../client";

/** Terms that a run always has and a session takes by itself. */
const LEFT_OUT = new Set(["engine"]);

/** Return the YAML of a session on paper that trades what a run has tried. */
export function sessionOfRun(run: RunQuestion): string {
  const terms = Object.entries(run.terms).filter(
    ([name, value]) => value !== null && value !== undefined && !LEFT_OUT.has(name),
  );
  const isTogether = run.instruments.length > 1;
  return written({
    schema_version: 1,
    name: `${run.strategy} on ${run.instruments.length > 1 ? `${run.instruments.length} instruments` : run.instruments[0]}`,
    instruments: run.instruments,
    ...(isTogether ? { mode: "together" } : {}),
    interval: run.interval,
    strategy: { name: run.strategy, params: run.params },
    ...(run.inputs && Object.keys(run.inputs).length > 0 ? { inputs: run.inputs } : {}),
    ...Object.fromEntries(terms),
    broker: { kind: "paper" },
  });
}

/** Return the YAML of a first session: on a stored series where there is one. */
export function firstSession(series: readonly SeriesRow[]): string {
  const one = series.find((row) => row.interval === "1m") ?? series[0];
  return written({
    schema_version: 1,
    name: "my first session",
    instruments: [one?.instrument ?? "binance:BTCUSDT"],
    interval: one?.interval ?? "1m",
    strategy: { name: "sma_cross", params: { fast: 20, slow: 100 } },
    cash: 10_000,
    exits: { stop_loss: 0.05 },
    risk: { max_position_share: 1, max_daily_loss: 0.05 },
    broker: { kind: "paper" },
  });
}

function written(document: object): string {
  return stringify(document, { lineWidth: 0, flowCollectionPadding: false });
}
