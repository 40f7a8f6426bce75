import { Button, Group, Pill, Stack, Text } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Download, GitCompareArrows } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { address } from "../../api";
import type { RunRow, SceneDetail } from "../../client";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { formatNumber, formatParam, paramName } from "../../components/format";
import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";
import { metricLabel, useMetrics } from "../../components/metrics";
import { StateBadge } from "../../components/StateBadge";
import { RunFilter } from "./RunFilter";
import { readCondition, runLabel, said, shownMetrics, writeCondition } from "./runsQuery";
import styles from "./Scene.module.css";
import { conditionsOf, PAGE, runsQuestion } from "./screens";
import { hasEnded } from "./states";
import { axesOf } from "./tabs";

const route = getRouteApi("/inside/scenes/$sceneId");
const MOST_COMPARED = 8;
const RUNNING_MS = 4_000;

/** The runs of a scene: sorted by any metric, filtered, as many as there are. */
export function RunsTab({ scene }: { scene: SceneDetail }) {
  const search = route.useSearch();
  const navigate = useNavigate();
  const metrics = useMetrics();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const where = conditionsOf(search);
  const sort = search.sort ?? scene.rank_by;
  const order: "asc" | "desc" | "best" = search.order ?? "best";
  const found = useInfiniteQuery({
    ...runsQuestion(scene.scene_id, search),
    placeholderData: keepPreviousData,
    // Far down in a long list nothing moves under the reader's eyes.
    // A list that was on its way when the scene ended lacks the last runs: it is read once more.
    refetchInterval: ({ state }) => {
      const first = state.data?.pages[0]?.items.length ?? PAGE;
      const isAll = where.length > 0 || first >= Math.min(scene.recorded, PAGE);
      const isStill = (hasEnded(scene.state) && isAll) || (state.data?.pages.length ?? 0) > 2;
      return isStill ? false : RUNNING_MS;
    },
  });
  const rows = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);
  const total = found.data?.pages[0]?.total;
  const shown = useMemo(() => shownMetrics(search.metrics, scene.rank_by), [search.metrics, scene.rank_by]);
  const columns = useMemo(() => columnsOf(scene, shown), [scene, shown]);

  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const change = (some: Partial<typeof search>) =>
    void navigate({
      to: "/scenes/$sceneId",
      params: { sceneId: scene.scene_id },
      search: { ...search, ...some },
      replace: true,
    });
  // What is better differs: a click sorts by the best first, the next one the other way round.
  const best = metrics.get(sort)?.better === "lower" ? "asc" : "desc";
  const shownOrder = order === "best" ? best : order;
  const onSort = (by: string) => {
    if (by !== sort) change({ sort: by, order: undefined });
    else change({ sort: by, order: shownOrder === "asc" ? "desc" : "asc" });
  };
  const onSelect = useCallback((key: string, isSelected: boolean) => {
    setSelected((before) => {
      const after = new Set(before);
      if (isSelected) after.add(key);
      else after.delete(key);
      return after;
    });
  }, []);

  return (
    <Stack gap="xs">
      <div className={styles.bar}>
        <RunFilter
          scene={scene}
          shown={shown}
          onAdd={(condition) => change({ where: [...where, writeCondition(condition)] })}
          onShown={(names) => change({ metrics: names })}
        />
        {where.map((text) => {
          const condition = readCondition(text);
          return (
            condition && (
              <Pill
                key={text}
                withRemoveButton
                onRemove={() => change({ where: where.filter((one) => one !== text) })}
                removeButtonProps={{
                  "aria-label": `Take away: ${said(condition)}`,
                  "aria-hidden": false,
                  tabIndex: 0,
                }}
              >
                {said(condition)}
              </Pill>
            )
          );
        })}
        <Group gap="xs" ml="auto">
          <Text size="sm" className="mela-muted" role="status">
            {selected.size > 0
              ? `${selected.size} selected`
              : total !== null &&
                total !== undefined &&
                `${formatNumber(total, "count")} ${total === 1 ? "run" : "runs"}`}
          </Text>
          <Button
            size="xs"
            variant="default"
            leftSection={<GitCompareArrows size={14} aria-hidden />}
            disabled={selected.size < 2 || selected.size > MOST_COMPARED}
            onClick={() => void navigate({ to: "/compare", search: { run: [...selected] } })}
          >
            Compare
          </Button>
          <Button
            size="xs"
            variant="default"
            leftSection={<Download size={14} aria-hidden />}
            component="a"
            href={address(`/scenes/${scene.scene_id}/runs.csv`, { where })}
            download
          >
            CSV
          </Button>
        </Group>
      </div>
      {!hasAnswer(found) ? (
        <Unanswered to={found} />
      ) : rows.length === 0 ? (
        <EmptyState title={where.length > 0 ? "No run fits these conditions" : "No run is answered yet"} />
      ) : (
        <DataTable<RunRow>
          label="Runs of the scene"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.run_key}
          nameOf={(row) => runLabel(row, scene.varied)}
          total={total ?? -1}
          sort={{ by: sort, order: shownOrder }}
          onSort={onSort}
          onEnd={onEnd}
          isLoadingMore={isFetchingNextPage}
          selected={selected}
          onSelect={onSelect}
          maxHeight="calc(100dvh - 7rem)"
          card={(row) => <RunCard row={row} scene={scene} shown={shown} />}
          cardHeight={124}
        />
      )}
    </Stack>
  );
}

function RunLink({ row, text }: { row: RunRow; text: string }) {
  return (
    <Link to="/runs/$runKey" params={{ runKey: row.run_key }} className="mela-quiet-link" data-row-link>
      {text}
    </Link>
  );
}

function columnsOf(scene: SceneDetail, shown: readonly string[]): Column<RunRow>[] {
  const axes = axesOf(scene);
  return [
    {
      id: "rank",
      header: "Run",
      cell: (row) => (
        <RunLink row={row} text={row.rank === null ? row.run_key.slice(0, 8) : `#${row.rank}`} />
      ),
      width: 84,
    },
    ...(scene.instruments.length > 1 &&
    scene.mode === "each" &&
    !axes.some((one) => one.path === "instrument")
      ? [
          {
            id: "instrument",
            header: "Instrument",
            cell: (row: RunRow) => row.instruments.join(" + "),
            width: 160,
          },
        ]
      : []),
    ...axes.map((one) => ({
      id: one.path,
      header: paramName(one.path),
      cell: (row: RunRow) => formatParam(row.params[one.path]),
      width: one.path === "instrument" ? 160 : Math.max(90, 28 + paramName(one.path).length * 7.5),
      align: one.path === "instrument" ? ("left" as const) : ("right" as const),
    })),
    ...shown.map((name) => ({
      id: name,
      header: <MetricName name={name} />,
      cell: (row: RunRow) => <MetricValue name={name} value={row.metrics[name]} />,
      width: Math.max(96, 52 + metricLabel(name).length * 7.2),
      align: "right" as const,
      sortBy: name,
    })),
    {
      id: "status",
      header: "Status",
      cell: (row) =>
        row.status === "succeeded" ? (
          row.warnings.length > 0 ? (
            <span title={row.warnings.map((code) => code.replaceAll("_", " ")).join(", ")}>
              <StateBadge state="warning" />
            </span>
          ) : (
            <span className="mela-muted">{row.cached ? "from the store" : "computed"}</span>
          )
        ) : (
          <span title={row.error ?? undefined}>
            <StateBadge state={row.status} />
          </span>
        ),
      width: 130,
    },
  ];
}

function RunCard({ row, scene, shown }: { row: RunRow; scene: SceneDetail; shown: readonly string[] }) {
  return (
    <Stack gap={3}>
      <Group justify="space-between" wrap="nowrap">
        <RunLink row={row} text={row.rank === null ? row.run_key.slice(0, 8) : `#${row.rank}`} />
        {row.status !== "succeeded" && <StateBadge state={row.status} />}
      </Group>
      <Text size="xs" lineClamp={2}>
        {runLabel(row, scene.varied)}
      </Text>
      <Group gap="2px 12px">
        {shown.slice(0, 4).map((name) => (
          <Text key={name} size="xs" component="span" style={{ whiteSpace: "nowrap" }}>
            <span className="mela-muted">{metricLabel(name)} </span>
            <MetricValue name={name} value={row.metrics[name]} />
          </Text>
        ))}
      </Group>
    </Stack>
  );
}
