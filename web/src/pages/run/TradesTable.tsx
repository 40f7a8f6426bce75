import { Group, Text, UnstyledButton } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { TradeRow } from "../../client";
import { listTrades } from "../../client";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { type Column, DataTable, type Sort } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { asSentence, formatDuration, formatNumber, formatPrice, formatUnits } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Num } from "../../components/Num";
import { words } from "./Groups";

const PAGE = 200;
const SORTS = ["entry_at", "pnl", "return", "mae", "mfe", "bars", "fees"] as const;
type SortName = (typeof SORTS)[number];

interface Props {
  runKey: string;
  isPortfolio: boolean;
  selected: number | null;
  onTrade: (trade: TradeRow) => void;
}

/** All trades of a run; a click on a number shows the trade on the chart. */
export function TradesTable({ runKey, isPortfolio, selected, onTrade }: Props) {
  const [sort, setSort] = useState<Sort>({ by: "entry_at", order: "asc" });
  const query = useInfiniteQuery({
    queryKey: ["trades", runKey, sort],
    queryFn: async ({ pageParam, signal }) => {
      const asked = { sort: sort.by as SortName, order: sort.order, limit: PAGE, cursor: pageParam };
      const { data } = await listTrades({ path: { run_key: runKey }, query: asked, signal });
      return data;
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    staleTime: 300_000,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const columns = useMemo(() => columnsOf(isPortfolio, selected, onTrade), [isPortfolio, selected, onTrade]);
  const first = query.data?.pages[0];

  if (!hasAnswer(query) || !first) return <Unanswered to={query} what="This run" />;
  if (!first.has_curve) {
    return (
      <EmptyState title="The trades of this run are not stored">
        {asSentence(first.without_curve ?? "")}
      </EmptyState>
    );
  }
  if (first.total === 0) {
    return <EmptyState title="No trades">The strategy never entered in this span.</EmptyState>;
  }
  return (
    <DataTable
      label={`${first.total} trades`}
      columns={columns}
      rows={rows}
      keyOf={(row) => String(row.seq)}
      total={first.total}
      sort={sort}
      onSort={(by) => setSort(next(sort, by))}
      onEnd={() => void (query.hasNextPage && !query.isFetching && query.fetchNextPage())}
      isLoadingMore={query.isFetchingNextPage}
      maxHeight="420px"
      card={(row) => <Card row={row} onTrade={onTrade} />}
      cardHeight={122}
    />
  );
}

/** Return how a table is sorted after a click: the largest first, then the other way. */
function next(sort: Sort, by: string): Sort {
  const first = by === "entry_at" ? "asc" : "desc";
  if (sort.by !== by) return { by, order: first };
  return { by, order: sort.order === "asc" ? "desc" : "asc" };
}

function columnsOf(
  isPortfolio: boolean,
  selected: number | null,
  onTrade: (trade: TradeRow) => void,
): Column<TradeRow>[] {
  const instrument: Column<TradeRow>[] = isPortfolio
    ? [{ id: "instrument", header: "Instrument", width: 150, cell: (row) => row.instrument }]
    : [];
  return [
    {
      id: "seq",
      header: "Trade",
      width: 58,
      cell: (row) => <TradeLink row={row} isSelected={row.seq === selected} onTrade={onTrade} />,
    },
    ...instrument,
    { id: "side", header: "Side", width: 70, cell: (row) => (row.side === "short" ? "▼ short" : "▲ long") },
    {
      id: "entry",
      header: "Entry",
      width: 148,
      sortBy: "entry_at",
      cell: (row) => <Instant at={row.entry_at} />,
    },
    { id: "exit", header: "Exit", width: 148, cell: (row) => <Instant at={row.exit_at} /> },
    { id: "reason", header: "Exit reason", width: 104, cell: (row) => words(row.reason) },
    numbers("size", "Size", 86, (row) => formatUnits(Math.abs(row.size), 5)),
    numbers("entry_price", "Entry price", 96, (row) => formatPrice(row.entry_price)),
    numbers("exit_price", "Exit price", 96, (row) => formatPrice(row.exit_price)),
    change("pnl", "Profit", 98, (row) => row.pnl, "money"),
    change("return", "Return", 94, (row) => row.return, "fraction"),
    change("mae", "MAE", 92, (row) => row.mae, "fraction"),
    change("mfe", "MFE", 92, (row) => row.mfe, "fraction"),
    {
      id: "bars",
      header: "Held",
      width: 96,
      align: "right",
      sortBy: "bars",
      cell: (row) => <span title={`${row.bars} candles`}>{formatDuration(held(row))}</span>,
    },
    { ...numbers("fees", "Fees", 78, (row) => formatNumber(row.fees, "money")), sortBy: "fees" },
  ];
}

/** Return for how many seconds a trade held its position. */
function held(row: TradeRow): number {
  return (Date.parse(row.exit_at) - Date.parse(row.entry_at)) / 1_000;
}

function numbers(
  id: string,
  header: string,
  width: number,
  cell: (row: TradeRow) => string,
): Column<TradeRow> {
  return { id, header, width, align: "right", cell };
}

function change(
  id: SortName,
  header: string,
  width: number,
  value: (row: TradeRow) => number | null,
  unit: "money" | "fraction",
): Column<TradeRow> {
  return {
    id,
    header,
    width,
    align: "right",
    sortBy: id,
    cell: (row) => <Num value={value(row)} unit={unit} isChange />,
  };
}

interface LinkProps {
  row: TradeRow;
  isSelected?: boolean;
  onTrade: (trade: TradeRow) => void;
}

function TradeLink({ row, isSelected = false, onTrade }: LinkProps) {
  return (
    <UnstyledButton
      className="mela-quiet-link"
      fz="inherit"
      fw={isSelected ? 700 : 400}
      data-row-link
      aria-pressed={isSelected}
      aria-label={`Show trade ${row.seq + 1} on the chart`}
      onClick={() => onTrade(row)}
    >
      {isSelected ? "● " : ""}
      {row.seq + 1}
    </UnstyledButton>
  );
}

/** A trade on a phone. */
function Card({ row, onTrade }: LinkProps) {
  return (
    <>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="sm">
          <TradeLink row={row} onTrade={onTrade} /> · {row.side === "short" ? "▼ short" : "▲ long"} ·{" "}
          {words(row.reason)}
        </Text>
        <Num value={row.return} unit="fraction" isChange />
      </Group>
      <Text size="xs" className="mela-muted">
        <Instant at={row.entry_at} /> to <Instant at={row.exit_at} />, {formatDuration(held(row))}
      </Text>
      <Text size="xs" className="mela-muted">
        {formatPrice(row.entry_price)} to {formatPrice(row.exit_price)}, profit{" "}
        <Num value={row.pnl} unit="money" isChange />, fees {formatNumber(row.fees, "money")}
      </Text>
      <Text size="xs" className="mela-muted">
        MAE {formatNumber(row.mae, "fraction")}, MFE {formatNumber(row.mfe, "fraction")}
      </Text>
    </>
  );
}
