/** Curves over each other: equity of several runs, a rolling Sharpe ratio. */

import type { EChartsOption } from "echarts";
import { timeAxis, valueAxis } from "./axes";
import { compact, instantText } from "./axis";
import type { Palette } from "./colours";

/** A curve. t: milliseconds since 1970, UTC; v: null where there is none. */
export interface NamedCurve {
  name: string;
  t: readonly number[];
  v: readonly (number | null)[];
}

export interface CurvesShown {
  curves: readonly NamedCurve[];
  /** How values are written; numbers that are shortened if left out */
  format?: (value: number) => string;
  /** A line across, such as 0 or the opening cash */
  level?: number;
  isZoomable?: boolean;
}

const DASHES: readonly ("solid" | "dashed" | "dotted")[] = ["solid", "dashed", "dotted"];
const DAY = 86_400;

/** Return a chart of curves; beyond the number of colours they differ by their dashes. */
export function curvesOption(shown: CurvesShown, palette: Palette, isSmall: boolean): EChartsOption {
  const format = shown.format ?? compact;
  const isMany = shown.curves.length > 1;
  return {
    useUTC: true,
    grid: {
      left: 8,
      right: 12,
      top: isMany ? (isSmall ? 64 : 40) : 14,
      bottom: shown.isZoomable ? 44 : 8,
      containLabel: true,
    },
    legend: isMany
      ? { type: "scroll", top: 0, textStyle: { color: palette.ink }, pageTextStyle: { color: palette.ink } }
      : { show: false },
    xAxis: timeAxis(palette),
    yAxis: valueAxis(palette, format),
    dataZoom: shown.isZoomable
      ? [{ type: "inside" }, { type: "slider", height: 22, bottom: 6, textStyle: { color: palette.faint } }]
      : [],
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "line", lineStyle: { color: palette.faint } },
      formatter: (points) => told(points as unknown as Point[], format),
    },
    series: shown.curves.map((curve, place) => ({
      type: "line",
      name: curve.name,
      data: curve.t.map((at, point) => [at, curve.v[point] ?? null]),
      showSymbol: false,
      sampling: undefined,
      lineStyle: {
        width: isMany ? 1.6 : 1.8,
        type: DASHES[Math.floor(place / palette.lines.length) % DASHES.length],
      },
      markLine:
        place === 0 && shown.level !== undefined
          ? {
              silent: true,
              symbol: "none",
              label: { show: false },
              lineStyle: { color: palette.faint, type: "dashed" },
              data: [{ yAxis: shown.level }],
            }
          : undefined,
    })),
  };
}

interface Point {
  seriesName: string;
  value: [number, number | null];
}

/** Return the words of a tooltip: the instant, and each curve's value there. */
export function told(points: readonly Point[], format: (value: number) => string): string {
  const at = points[0]?.value[0];
  if (at === undefined) return "";
  const lines = points.map(({ seriesName, value }) => {
    const text = value[1] === null ? "–" : format(value[1]);
    return points.length > 1 || seriesName ? `${seriesName}  ${text}` : text;
  });
  const when = instantText(at / 1000, (at / 1000) % DAY === 0 ? DAY : 1);
  return [`${when} UTC`, ...lines].join("\n");
}
