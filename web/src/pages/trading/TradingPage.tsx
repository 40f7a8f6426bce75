import { Button, Group, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Plus, Search } from "lucide-react";
import { useMemo } from "react";
import { listTradingSessions, type TradingSessionRow } from "../../client";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { may, useMe } from "../../session";
import { useWatch } from "../../useEvents";
import { SessionCard } from "./SessionCard";
import { COLUMNS } from "./sessionColumns";

const route = getRouteApi("/inside/trading");
const PAGE = 100;
const STATES = ["starting", "running", "paused", "stopping", "stopped", "failed"];

/** The trading sessions, as they trade. */
export default function TradingPage() {
  const me = useMe();
  const search = route.useSearch();
  const navigate = useNavigate();
  useWatch("trading");
  const found = useInfiniteQuery({
    // The form of the generated keys, so that events find it
    queryKey: [{ _id: "listTradingSessions", query: search }],
    queryFn: async ({ pageParam, signal }) => {
      const state = STATES.find((one) => one === search.state) as TradingSessionRow["state"] | undefined;
      const query = { state, text: search.text, limit: PAGE, cursor: pageParam };
      return (await listTradingSessions({ query, signal })).data;
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 30_000,
  });
  const rows = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);
  const isFiltered = Boolean(search.state || search.text);
  const go = (change: { state?: string; text?: string }) =>
    void navigate({ to: "/trading", search: { ...search, ...change }, replace: true });
  const onText = useDebouncedCallback((text: string) => go({ text: text || undefined }), 300);
  const start = may(me, "trader") && (
    <Button leftSection={<Plus size={16} aria-hidden />} renderRoot={NewSessionLink}>
      Start a session
    </Button>
  );
  return (
    <Stack gap="sm">
      <title>Trading · Mela</title>
      <Group justify="space-between">
        <div>
          <Title order={1}>Trading</Title>
          <Text size="sm" className="mela-muted">
            Strategies that trade candle by candle, on paper unless a session says otherwise. Times are UTC.
          </Text>
        </div>
        {(rows.length > 0 || isFiltered) && start}
      </Group>
      {(rows.length > 0 || isFiltered) && (
        <Group gap="xs">
          <TextInput
            data-search
            flex="1 1 200px"
            maw={320}
            aria-label="Search in names and instruments"
            placeholder="Name or instrument"
            leftSection={<Search size={14} aria-hidden />}
            defaultValue={search.text ?? ""}
            onChange={(event) => onText(event.currentTarget.value)}
          />
          <Select
            flex="1 1 130px"
            maw={200}
            aria-label="State"
            placeholder="Any state"
            clearable
            data={STATES}
            value={search.state ?? null}
            onChange={(state) => go({ state: state ?? undefined })}
          />
        </Group>
      )}
      {!hasAnswer(found) ? (
        <Unanswered to={found} />
      ) : rows.length === 0 ? (
        <NoSessions isFiltered={isFiltered} action={start} />
      ) : (
        <DataTable<TradingSessionRow>
          label="Trading sessions"
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => row.session_id}
          nameOf={(row) => row.name}
          onEnd={() => void (found.hasNextPage && !found.isFetching && found.fetchNextPage())}
          isLoadingMore={found.isFetchingNextPage}
          rowHeight={40}
          maxHeight="calc(100dvh - 13rem)"
          card={(row) => <SessionCard row={row} />}
          cardHeight={140}
        />
      )}
    </Stack>
  );
}

function NoSessions({ isFiltered, action }: { isFiltered: boolean; action: React.ReactNode }) {
  if (isFiltered) {
    return (
      <EmptyState title="No session fits these filters" action={<Link to="/trading">Show all sessions</Link>}>
        Private sessions of others are not shown to you.
      </EmptyState>
    );
  }
  return (
    <EmptyState title="No session has been started yet" action={action}>
      A session lets a strategy trade the candles that are still to come, with the rules of a backtest. It
      begins on paper: no money is at risk.
    </EmptyState>
  );
}

function NewSessionLink(props: object) {
  return <Link {...props} to="/trading/new" />;
}
