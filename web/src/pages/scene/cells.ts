import type { Heatmap } from "../../client";
import { formatNumber, formatParam, paramName } from "../../components/format";
import { metricLabel } from "../../components/metrics";
import { type Condition, writeCondition } from "./runsQuery";

type Axis = "x" | "y";
export type Better = "higher" | "lower";

/** What several runs of a cell give together, at the beginning of a sentence. */
const FOLDED: Record<Heatmap["reduce"], string> = {
  max: "The best",
  median: "The best median of a cell's",
  mean: "The best mean of a cell's",
};

const OF_RUNS: Record<Heatmap["reduce"], string> = { max: "best", median: "median", mean: "mean" };

/** Return what the columns or rows of a map are called: `5`, or `6 to 9` where values were gathered. */
export function placeNames(map: Heatmap, axis: Axis): string[] {
  const ends = axis === "x" ? map.x_to : map.y_to;
  return (axis === "x" ? map.x_values : map.y_values).map((value, place) => {
    const end = ends[place];
    if (typeof value !== "number" || typeof end !== "number") return formatParam(value);
    return end === value ? short(value) : `${short(value)} to ${short(end)}`;
  });
}

/** Return the conditions that the runs of a cell fulfil, and no others of the scene. */
export function conditionsOf(map: Heatmap, column: number, row: number): string[] {
  const across = conditions(map.x, map.x_values[column], map.x_to[column]);
  const along = map.y === null ? [] : conditions(map.y, map.y_values[row], map.y_to[row]);
  return [...across, ...along].map(writeCondition);
}

function conditions(name: string, value: unknown, end: number | null | undefined): Condition[] {
  if (value === undefined) return [];
  if (typeof end !== "number" || end === value) return [{ name, op: "eq", value: String(value) }];
  return [
    { name, op: "ge", value: String(value) },
    { name, op: "le", value: String(end) },
  ];
}

/** Say where a cell lies: `fast 6 to 9 and slow 60`. */
export function placeWords(map: Heatmap, column: number, row: number): string[] {
  const across = `${paramName(map.x)} ${placeNames(map, "x")[column]}`;
  return map.y === null ? [across] : [across, `${paramName(map.y)} ${placeNames(map, "y")[row]}`];
}

/** Say what the number of a cell is: `median of 4 runs`. */
export function foldWords(map: Heatmap, column: number, row: number): string {
  const runs = map.runs[row]?.[column] ?? 0;
  return runs === 1 ? "1 run" : `${OF_RUNS[map.reduce]} of ${formatNumber(runs, "count")} runs`;
}

/** Say in words what the map shows; better: which end of the metric is the good one. */
export function summary(map: Heatmap, unit: string, better: Better): string {
  let best: { value: number; x: number; y: number } | null = null;
  for (const [y, row] of map.values.entries()) {
    for (const [x, value] of row.entries()) {
      if (value === null) continue;
      const isBetter = best === null || (better === "lower" ? value < best.value : value > best.value);
      if (isBetter) best = { value, x, y };
    }
  }
  if (best === null) return "No run is measured yet.";
  const at = placeWords(map, best.x, best.y).join(" and ");
  return `${FOLDED[map.reduce]} ${metricLabel(map.metric)} is ${formatNumber(best.value, unit)}, at ${at}.`;
}

/** Shorten an end of a range: it need not tell all digits, as the condition does. */
function short(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}
