/** Axes as all charts by ECharts draw them. */

import type { XAXisComponentOption, YAXisComponentOption } from "echarts";
import type { Palette } from "./colours";

export function valueAxis(palette: Palette, format: (value: number) => string): YAXisComponentOption {
  return {
    type: "value",
    scale: true,
    axisLabel: { color: palette.faint, formatter: format },
    splitLine: { lineStyle: { color: palette.grid } },
  };
}

/** An axis of instants, milliseconds since 1970, labelled in UTC (with `useUTC` of the chart). */
export function timeAxis(palette: Palette): XAXisComponentOption {
  return {
    type: "time",
    axisLabel: { color: palette.faint, hideOverlap: true },
    axisLine: { lineStyle: { color: palette.grid } },
    splitLine: { show: false },
  };
}

export function categoryAxis(palette: Palette, names: readonly string[]): XAXisComponentOption {
  return {
    type: "category",
    data: [...names],
    axisLabel: { color: palette.faint, hideOverlap: true },
    axisLine: { lineStyle: { color: palette.grid } },
    axisTick: { show: false },
  };
}
