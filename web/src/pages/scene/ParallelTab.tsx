import { Group, MultiSelect, NumberInput, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { EChartsOption } from "echarts";
import { useCallback, useEffect, useState } from "react";
import type { Palette } from "../../charts/colours";
import { EChart } from "../../charts/EChart";
import type { RunRow, SceneDetail } from "../../client";
import { listRunsOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { formatNumber, formatParam, paramName } from "../../components/format";
import { metricLabel, useMetrics } from "../../components/metrics";
import { Panel } from "../../components/Panel";
import { Sideways } from "../../components/Sideways";
import { extent, VIRIDIS } from "./scales";
import { axesOf } from "./tabs";

const MOST = 500;

/** Each of the best runs as a line through its parameters and metrics. */
export default function ParallelTab({ scene }: { scene: SceneDetail }) {
  const metrics = useMetrics();
  const [count, setCount] = useState(200);
  const [shown, setShown] = useState(() => [...new Set(["total_return", "max_drawdown", scene.rank_by])]);
  const found = useQuery(
    listRunsOptions({
      path: { scene_id: scene.scene_id },
      query: { limit: Math.min(count, MOST), where: ["status:eq:succeeded"] },
    }),
  );
  const rows = found.data?.items;
  const option = useCallback(
    (palette: Palette): EChartsOption => {
      if (!rows) return {};
      const units = new Map(shown.map((name) => [name, metrics.get(name)?.unit ?? "number"]));
      return parallelOption(scene, rows, shown, units, palette);
    },
    [scene, rows, shown, metrics],
  );
  const [left, setLeft] = useState<number | null>(null);
  // Drawn anew, the chart has nothing selected.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the option is what it is drawn from
  useEffect(() => setLeft(null), [option]);
  return (
    <Panel>
      <Group gap="xs" mb="sm" align="flex-end">
        <NumberInput
          label="Best runs"
          min={10}
          max={MOST}
          step={50}
          value={count}
          onChange={(value) => typeof value === "number" && value >= 10 && setCount(value)}
          w={110}
        />
        <MultiSelect
          label="Metrics"
          searchable
          data={[...metrics.keys()].map((name) => ({ value: name, label: metricLabel(name) }))}
          value={shown}
          onChange={(next) => next.length > 0 && setShown(next)}
          maxValues={5}
          miw={260}
        />
      </Group>
      {!hasAnswer(found) || !rows ? (
        <Unanswered to={found} what="This scene" />
      ) : (
        <>
          <Sideways label="Parallel coordinates">
            <div style={{ minWidth: 110 * (axesOf(scene).length + shown.length) }}>
              <EChart
                label={`The best ${rows.length} runs as lines through their parameters and metrics; the table of runs has the same numbers.`}
                height={460}
                option={option}
                onSelected={(places) => setLeft(places.length)}
              />
            </div>
          </Sideways>
          <Text size="sm" className="mela-muted">
            <span role="status">
              {left !== null && left < rows.length && `${left} of ${rows.length} lines are left. `}
            </span>
            Drag along an axis to keep only the lines that pass there. Lighter lines have a higher{" "}
            {metricLabel(shown.at(-1) ?? scene.rank_by)}.
          </Text>
        </>
      )}
    </Panel>
  );
}

/** Return lines through parameters, then metrics; the last metric gives the colour. */
export function parallelOption(
  scene: SceneDetail,
  rows: readonly RunRow[],
  shown: readonly string[],
  units: ReadonlyMap<string, string>,
  palette: Palette,
): EChartsOption {
  const axes = axesOf(scene);
  const last = shown.at(-1) ?? scene.rank_by;
  const values = rows.map((row) => [
    ...axes.map((one) =>
      isNumeric(one) ? (row.params[one.path] as number) : formatParam(row.params[one.path]),
    ),
    ...shown.map((name) => row.metrics[name] ?? Number.NaN),
  ]);
  const dimension = axes.length + shown.length - 1;
  const [low, high] = extent(rows.map((row) => row.metrics[last])) ?? [0, 1];
  const look = {
    nameTextStyle: { color: palette.ink },
    axisLabel: { color: palette.faint },
    axisLine: { lineStyle: { color: palette.faint } },
  };
  return {
    parallel: { left: 50, right: 90, top: 44, bottom: 20 },
    parallelAxis: [
      ...axes.map((one, dim) => {
        return isNumeric(one)
          ? { dim, name: paramName(one.path), scale: true, ...look }
          : {
              dim,
              name: paramName(one.path),
              type: "category" as const,
              data: one.values.map(formatParam),
              ...look,
            };
      }),
      ...shown.map((name, place) => ({
        dim: axes.length + place,
        name: metricLabel(name),
        scale: true,
        ...look,
        axisLabel: {
          color: palette.faint,
          formatter: (value: number) => formatNumber(value, units.get(name) ?? "number"),
        },
      })),
    ],
    visualMap: {
      show: false,
      dimension,
      min: low,
      max: high,
      inRange: { color: palette.isDark ? [...VIRIDIS].slice(1) : [...VIRIDIS].slice(0, 5) },
    },
    tooltip: { show: false },
    series: [
      { type: "parallel", data: values, lineStyle: { width: 1.2, opacity: 0.55 }, inactiveOpacity: 0.04 },
    ],
  } as EChartsOption;
}

/** Say whether a parameter has a scale; one that may be none, or is a word, has names in a row. */
function isNumeric(axis: SceneDetail["varied"][number]): boolean {
  return axis.values.every((value) => typeof value === "number");
}
