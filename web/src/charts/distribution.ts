/** A histogram of returns: losses and gains apart, with a line at 0. */

import type { EChartsOption } from "echarts";
import { categoryAxis, valueAxis } from "./axes";
import { percent } from "./axis";
import type { Palette } from "./colours";

/** Return a histogram. edges: one more than counts, ascending, fractions. */
export function distributionOption(
  edges: readonly number[],
  counts: readonly number[],
  palette: Palette,
): EChartsOption {
  const names = counts.map((_, place) => percent(middle(edges, place)));
  return {
    grid: { left: 8, right: 12, top: 14, bottom: 8, containLabel: true },
    xAxis: categoryAxis(palette, names),
    yAxis: { ...valueAxis(palette, String), scale: false, minInterval: 1 },
    tooltip: {
      trigger: "item",
      formatter: (point) => {
        const place = (point as { dataIndex: number }).dataIndex;
        const [from, to] = [edges[place] ?? 0, edges[place + 1] ?? 0];
        const count = counts[place] ?? 0;
        return `${percent(from, 2)} to ${percent(to, 2)}\n${count} ${count === 1 ? "day" : "days"}`;
      },
    },
    series: [
      {
        type: "bar",
        barCategoryGap: "8%",
        data: counts.map((count, place) => ({
          value: count,
          itemStyle: { color: middle(edges, place) < 0 ? palette.falling : palette.rising },
        })),
      },
    ],
  };
}

function middle(edges: readonly number[], place: number): number {
  return ((edges[place] ?? 0) + (edges[place + 1] ?? 0)) / 2;
}
