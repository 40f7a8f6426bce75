import { Group, Text } from "@mantine/core";
import { listSessionTrades, type SessionTrade } from "../../client";
import type { Column } from "../../components/DataTable";
import { formatNumber, formatPrice, formatUnits } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Num } from "../../components/Num";
import { words } from "../run/Groups";
import { Rows } from "./Rows";

/** The round trips of a session. */
export function TradesTab({ sessionId, quote }: { sessionId: string; quote: string }) {
  return (
    <Rows<SessionTrade>
      id="listSessionTrades"
      sessionId={sessionId}
      ask={async ({ cursor, signal }) =>
        (await listSessionTrades({ path: { session_id: sessionId }, query: { cursor, limit: 100 }, signal }))
          .data
      }
      label={`Round trips${quote ? `, profit in ${quote}` : ""}`}
      columns={COLUMNS}
      keyOf={(row) => `${row.instrument} ${row.entered_at} ${row.exited_at}`}
      card={(row) => <Card row={row} />}
      cardHeight={92}
      empty={{ title: "No round trip yet", words: "A trade stands here when its position is closed." }}
    />
  );
}

const side = (row: SessionTrade) => (row.direction === "short" ? "▼ short" : "▲ long");

const COLUMNS: Column<SessionTrade>[] = [
  { id: "entry", header: "Entry (UTC)", width: 176, cell: (row) => <Instant at={row.entered_at} /> },
  { id: "exit", header: "Exit (UTC)", width: 176, cell: (row) => <Instant at={row.exited_at} /> },
  { id: "instrument", header: "Instrument", width: 156, grow: true, cell: (row) => row.instrument },
  { id: "side", header: "Side", width: 80, cell: side },
  { id: "units", header: "Units", width: 120, align: "right", cell: (row) => formatUnits(row.units) },
  {
    id: "entry_price",
    header: "Entry price",
    width: 110,
    align: "right",
    cell: (row) => formatPrice(row.entry_price),
  },
  {
    id: "exit_price",
    header: "Exit price",
    width: 110,
    align: "right",
    cell: (row) => formatPrice(row.exit_price),
  },
  { id: "fees", header: "Fees", width: 84, align: "right", cell: (row) => formatNumber(row.fees, "money") },
  {
    id: "profit",
    header: "Profit",
    width: 104,
    align: "right",
    cell: (row) => <Num value={row.profit} unit="money" isChange />,
  },
  { id: "reason", header: "Exit reason", width: 110, cell: (row) => words(row.reason) },
];

function Card({ row }: { row: SessionTrade }) {
  return (
    <>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="sm">
          {side(row)} {row.instrument} · {words(row.reason)}
        </Text>
        <Num value={row.profit} unit="money" isChange />
      </Group>
      <Text size="xs" className="mela-muted">
        <Instant at={row.entered_at} /> to <Instant at={row.exited_at} />
      </Text>
      <Text size="xs" className="mela-muted">
        {formatUnits(row.units)} from {formatPrice(row.entry_price)} to {formatPrice(row.exit_price)}, fees{" "}
        {formatNumber(row.fees, "money")}
      </Text>
    </>
  );
}
