import type { RunRow, SceneDetail } from "../../client";
import { formatParam } from "../../components/format";
import { metricLabel } from "../../components/metrics";

/** A condition on the runs, as the API and the address write it: `trades:ge:30`. */
export interface Condition {
  name: string;
  op: string;
  value: string;
}

export const OPS = [
  { value: "ge", label: "≥" },
  { value: "le", label: "≤" },
  { value: "gt", label: ">" },
  { value: "lt", label: "<" },
  { value: "eq", label: "=" },
] as const;

/** Read a condition; null for what is none. The value may hold colons: `instrument:eq:binance:BTCUSDT`. */
export function readCondition(text: string): Condition | null {
  const [name, op, ...rest] = text.split(":");
  const value = rest.join(":");
  if (!name || !OPS.some((one) => one.value === op) || !value) return null;
  return { name, op: op as string, value };
}

export function writeCondition({ name, op, value }: Condition): string {
  return `${name}:${op}:${value}`;
}

/** Write a condition for people: `trades ≥ 30`. */
export function said({ name, op, value }: Condition): string {
  const sign = OPS.find((one) => one.value === op)?.label ?? op;
  const shown = value === "null" ? "none" : value;
  return `${metricLabel(name.replace(/^strategy\.params\./, ""))} ${sign} ${shown}`;
}

const FIRST = ["sharpe", "total_return", "max_drawdown", "profit_factor", "trades"];

/** Return the metrics that the table of runs shows: those asked for, else the usual ones, the scene's first. */
export function shownMetrics(asked: readonly string[] | undefined, rankBy: string): string[] {
  if (asked && asked.length > 0) return [...new Set(asked)];
  return [rankBy, ...FIRST.filter((name) => name !== rankBy)];
}

/** Name a run by what tells it apart from the others of its scene. */
export function runLabel(row: Pick<RunRow, "params" | "instruments">, varied: SceneDetail["varied"]): string {
  const parts = varied
    .filter((one) => one.path !== "instrument" && row.params[one.path] !== undefined)
    .map((one) => `${one.path.replace(/^strategy\.params\./, "")} ${formatParam(row.params[one.path])}`);
  const instrument = row.instruments.join(" + ");
  return parts.length > 0 ? `${instrument}, ${parts.join(", ")}` : instrument;
}
