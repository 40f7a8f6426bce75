import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { GitCompareArrows, Plus } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { listScenes, type SceneRow } from "../../client";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import type { ScenesSearch } from "../../routes";
import { may, useMe } from "../../session";
import { useStreamState, useWatch } from "../../useEvents";
import { Filters } from "./Filters";
import { asked, isFiltered } from "./filter";
import { SceneCard } from "./SceneCard";
import { COLUMNS, sceneName } from "./sceneColumns";

const route = getRouteApi("/inside/scenes");
const PAGE = 60;

/** How often a list is read anew: while the stream of events is cut, and beside it, should it miss something. */
const WITHOUT_STREAM_MS = 5_000;
const BESIDE_STREAM_MS = 60_000;

/** Compare asks for this many scenes at most. */
const MOST_COMPARED = 8;

export default function ScenesPage() {
  const search = route.useSearch();
  const me = useMe();
  const navigate = useNavigate();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  useWatch("all");
  const isLive = useStreamState() === "open";

  const query = asked(search, me.user);
  const found = useInfiniteQuery({
    queryKey: [{ _id: "listScenes", query }],
    queryFn: async ({ pageParam, signal }) =>
      (await listScenes({ query: { ...query, limit: PAGE, cursor: pageParam }, signal })).data,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: isLive ? BESIDE_STREAM_MS : WITHOUT_STREAM_MS,
  });
  const rows = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);

  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const onSelect = useCallback((key: string, isSelected: boolean) => {
    setSelected((before) => {
      const after = new Set(before);
      if (isSelected) after.add(key);
      else after.delete(key);
      return after;
    });
  }, []);
  const onSearch = (change: Partial<ScenesSearch>) =>
    void navigate({ to: "/scenes", search: { ...search, ...change }, replace: true });

  return (
    <Stack gap="sm">
      <title>Scenes · Mela</title>
      <Group justify="space-between" mih={34}>
        <Title order={1}>Scenes</Title>
        {selected.size > 0 && (
          <Group gap="xs" role="status">
            <Text size="sm">
              {selected.size} selected
              {selected.size > MOST_COMPARED && `; at most ${MOST_COMPARED} can be compared`}
            </Text>
            <Button
              size="xs"
              leftSection={<GitCompareArrows size={14} aria-hidden />}
              disabled={selected.size < 2 || selected.size > MOST_COMPARED}
              onClick={() => void navigate({ to: "/compare", search: { scene: [...selected] } })}
            >
              Compare
            </Button>
            <Button size="xs" variant="subtle" onClick={() => setSelected(new Set())}>
              Clear
            </Button>
          </Group>
        )}
      </Group>
      <Filters search={search} onSearch={onSearch} />
      {!hasAnswer(found) ? (
        <Unanswered to={found} />
      ) : rows.length === 0 ? (
        <NoScenes isFiltered={isFiltered(search)} mayPublish={may(me, "trader")} />
      ) : (
        <DataTable<SceneRow>
          label="Scenes"
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => row.scene_id}
          nameOf={sceneName}
          total={hasNextPage ? -1 : rows.length}
          onEnd={onEnd}
          isLoadingMore={isFetchingNextPage}
          selected={selected}
          onSelect={onSelect}
          rowHeight={40}
          maxHeight="calc(100dvh - 11.5rem)"
          card={(row) => <SceneCard row={row} />}
          cardHeight={136}
        />
      )}
    </Stack>
  );
}

function NoScenes({ isFiltered, mayPublish }: { isFiltered: boolean; mayPublish: boolean }) {
  if (isFiltered) {
    return (
      <EmptyState title="No scene fits these filters" action={<Link to="/scenes">Show all scenes</Link>}>
        Private scenes of others are not shown to you.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      title="There is no scene yet"
      action={
        mayPublish && (
          <Button leftSection={<Plus size={16} aria-hidden />} renderRoot={NewSceneLink}>
            New scene
          </Button>
        )
      }
    >
      A scene asks for a strategy on some candles: one run, or a search over its parameters. Mela runs it and
      keeps the answer here.
    </EmptyState>
  );
}

function NewSceneLink(props: object) {
  return <Link {...props} to="/scenes/new" />;
}
