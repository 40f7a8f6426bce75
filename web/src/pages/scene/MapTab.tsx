import { Group, Select, Stack, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import type { Palette } from "../../charts/colours";
import { EChart } from "../../charts/EChart";
import type { SceneDetail } from "../../client";
import { getHeatmapOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { paramName } from "../../components/format";
import { metricLabel, useMetrics } from "../../components/metrics";
import { Panel } from "../../components/Panel";
import { conditionsOf, summary } from "./cells";
import { lineOption, mapOption } from "./mapOption";
import { hasEnded } from "./states";
import { axesOf } from "./tabs";

const route = getRouteApi("/inside/scenes/$sceneId");
const REDUCE = [
  { value: "max", label: "the best of each cell" },
  { value: "median", label: "the median of each cell" },
  { value: "mean", label: "the mean of each cell" },
] as const;
type Reduce = (typeof REDUCE)[number]["value"];

/** A metric over any two parameters of the search. */
export default function MapTab({ scene }: { scene: SceneDetail }) {
  const navigate = useNavigate();
  const search = route.useSearch();
  const metrics = useMetrics();
  const axes = axesOf(scene).map((one) => one.path);
  const numeric = axes.filter((path) => path.startsWith("strategy.params."));
  const [x, setX] = useState(numeric[0] ?? axes[0] ?? "");
  const [y, setY] = useState<string | null>(numeric[1] ?? others(axes, x)[0] ?? null);
  const [metric, setMetric] = useState(scene.rank_by);
  const [reduce, setReduce] = useState<Reduce>("max");
  const found = useQuery({
    ...getHeatmapOptions({ path: { scene_id: scene.scene_id }, query: { x, y, metric, reduce } }),
    placeholderData: keepPreviousData,
    refetchInterval: hasEnded(scene.state) ? false : 8_000,
  });
  const map = found.data;
  const unit = metrics.get(map?.metric ?? metric)?.unit ?? "number";
  const option = useCallback(
    (palette: Palette, isSmall: boolean) => {
      if (!map) return {};
      return map.y === null ? lineOption(map, unit, palette) : mapOption(map, unit, palette, isSmall);
    },
    [map, unit],
  );
  const names = axes.map((path) => ({ value: path, label: paramName(path) }));
  // A cell opens the runs that it stands for.
  const onClick = (event: { value?: unknown; dataIndex?: number }) => {
    if (!map) return;
    const [column, row] = Array.isArray(event.value) ? event.value : [event.dataIndex, 0];
    if (typeof column !== "number" || typeof row !== "number") return;
    void navigate({
      to: "/scenes/$sceneId",
      params: { sceneId: scene.scene_id },
      search: { ...search, tab: "runs", where: conditionsOf(map, column, row) },
    });
  };
  const words = map && summary(map, unit, metrics.get(map.metric)?.better ?? "higher");

  return (
    <Panel>
      <Group gap="xs" mb="sm">
        <Select
          label="Across"
          data={names.filter((one) => one.value !== y)}
          value={x}
          onChange={(next) => next && setX(next)}
          allowDeselect={false}
          w={170}
        />
        {axes.length > 1 && (
          <Select
            label="Up"
            data={names.filter((one) => one.value !== x)}
            value={y}
            onChange={setY}
            clearable
            placeholder="nothing"
            w={170}
          />
        )}
        <Select
          label="Metric"
          searchable
          data={[...metrics.keys()].map((name) => ({ value: name, label: metricLabel(name) }))}
          value={metric}
          onChange={(next) => next && setMetric(next)}
          allowDeselect={false}
          w={190}
        />
        <Select
          label="Several runs in a cell"
          data={[...REDUCE]}
          value={reduce}
          onChange={(next) => next && setReduce(next as Reduce)}
          allowDeselect={false}
          w={220}
        />
      </Group>
      {!hasAnswer(found) || !map ? (
        <Unanswered to={found} what="This scene" />
      ) : (
        <Stack gap={4}>
          <EChart label={words ?? ""} height={480} option={option} onClick={onClick} />
          <Text size="sm" className="mela-muted">
            {words} A broad plateau of good values is a better sign than one peak.
            {` Click a ${map.y === null ? "point" : "cell"} to see its runs.`}
          </Text>
        </Stack>
      )}
    </Panel>
  );
}

/** Return what else varies; the instruments last, as they are no choice of degree. */
function others(axes: readonly string[], taken: string): string[] {
  const left = axes.filter((path) => path !== taken);
  return [...left.filter((path) => path !== "instrument"), ...left.filter((path) => path === "instrument")];
}
