import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";

interface Asked {
  cursor: string | null;
  signal: AbortSignal;
}

interface Props<Row> {
  /** The operation of the API, so that events find what they must read anew */
  id: string;
  sessionId: string;
  /** What else tells this list from others */
  query?: object;
  ask: (asked: Asked) => Promise<{ items: Row[]; next_cursor: string | null }>;
  label: string;
  columns: readonly Column<Row>[];
  keyOf: (row: Row) => string;
  card: (row: Row) => ReactNode;
  cardHeight?: number;
  empty: { title: string; words: string };
}

/** A list of a session, the newest row first, as long as one scrolls. */
export function Rows<Row>(props: Props<Row>) {
  const found = useInfiniteQuery({
    queryKey: [{ _id: props.id, path: { session_id: props.sessionId }, query: props.query }],
    queryFn: ({ pageParam, signal }) => props.ask({ cursor: pageParam, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    // What has been scrolled to is read anew with each event; nobody scrolls through a thousand pages.
    maxPages: 20,
  });
  const rows = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);
  if (!hasAnswer(found)) return <Unanswered to={found} what="This session" />;
  if (rows.length === 0) return <EmptyState title={props.empty.title}>{props.empty.words}</EmptyState>;
  return (
    <DataTable
      label={props.label}
      columns={props.columns}
      rows={rows}
      keyOf={props.keyOf}
      onEnd={() => void (found.hasNextPage && !found.isFetching && found.fetchNextPage())}
      isLoadingMore={found.isFetchingNextPage}
      maxHeight="460px"
      card={props.card}
      cardHeight={props.cardHeight}
    />
  );
}
