import type { EChartsOption } from "echarts";
import { categoryAxis, valueAxis } from "../../charts/axes";
import type { Palette } from "../../charts/colours";
import type { Heatmap } from "../../client";
import { formatNumber, paramName } from "../../components/format";
import { metricLabel } from "../../components/metrics";
import { foldWords, placeNames, placeWords } from "./cells";
import { extent, VIRIDIS } from "./scales";

/** Numbers stand in the cells as long as they can be read. */
const MOST_LABELS = 150;

/** Return a heat map over two parameters. */
export function mapOption(map: Heatmap, unit: string, palette: Palette, isSmall: boolean): EChartsOption {
  const write = (value: number | null | undefined) => formatNumber(value, unit);
  const cells = map.values.flatMap((row, y) =>
    row.map((value, x) => [x, y, value] as [number, number, number | null]),
  );
  const [low, high] = extent(cells.map((cell) => cell[2])) ?? [0, 1];
  const isLabelled = !isSmall && cells.length <= MOST_LABELS;
  return {
    grid: { left: 8, right: 16, top: 12, bottom: 74, containLabel: true },
    xAxis: {
      ...categoryAxis(palette, placeNames(map, "x")),
      name: paramName(map.x),
      nameLocation: "middle",
      nameGap: 28,
      nameTextStyle: { color: palette.ink },
    },
    yAxis: {
      ...(categoryAxis(palette, placeNames(map, "y")) as object),
      name: map.y === null ? "" : paramName(map.y),
      nameTextStyle: { color: palette.ink },
    } as EChartsOption["yAxis"],
    visualMap: {
      min: low,
      max: high,
      calculable: !isSmall,
      orient: "horizontal",
      left: "center",
      bottom: 0,
      itemWidth: 14,
      itemHeight: isSmall ? 160 : 260,
      text: [write(high), write(low)],
      formatter: (value) => write(Number(value)),
      textStyle: { color: palette.ink },
      inRange: { color: [...VIRIDIS] },
      outOfRange: { color: palette.grid },
    },
    tooltip: {
      formatter: (point) => {
        const [x, y, value] = (point as unknown as { value: [number, number, number | null] }).value;
        return [
          ...placeWords(map, x, y),
          `${metricLabel(map.metric)} ${write(value)}`,
          foldWords(map, x, y),
        ].join("\n");
      },
    },
    series: [
      {
        type: "heatmap",
        data: cells.map(([x, y, value]) => ({
          value: [x, y, value ?? "-"] as (number | string)[],
          label: { color: value !== null && value > low + 0.6 * (high - low) ? "#111111" : "#ffffff" },
        })),
        label: {
          show: isLabelled,
          fontSize: 11,
          formatter: (point) => write((point.value as [number, number, number])[2]),
        },
        emphasis: { itemStyle: { borderColor: palette.ink, borderWidth: 1 } },
        progressive: 4_000,
      },
    ],
  };
}

/** Return the metric along one parameter. */
export function lineOption(map: Heatmap, unit: string, palette: Palette): EChartsOption {
  const write = (value: number) => formatNumber(value, unit);
  const values = map.values[0] ?? [];
  return {
    grid: { left: 8, right: 16, top: 16, bottom: 40, containLabel: true },
    xAxis: {
      ...categoryAxis(palette, placeNames(map, "x")),
      name: paramName(map.x),
      nameLocation: "middle",
      nameGap: 28,
      nameTextStyle: { color: palette.ink },
    },
    yAxis: valueAxis(palette, write),
    tooltip: {
      trigger: "axis",
      formatter: (points) => {
        const place = (points as unknown as { dataIndex: number }[])[0]?.dataIndex ?? 0;
        const value = formatNumber(values[place], unit);
        return [
          ...placeWords(map, place, 0),
          `${metricLabel(map.metric)} ${value}`,
          foldWords(map, place, 0),
        ].join("\n");
      },
    },
    series: [{ type: "line", data: values, symbolSize: 7, showAllSymbol: true, lineStyle: { width: 1.8 } }],
  };
}
