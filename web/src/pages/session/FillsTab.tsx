import { Text } from "@mantine/core";
import { type FillRow, listFills } from "../../client";
import type { Column } from "../../components/DataTable";
import { formatNumber, formatPrice, formatUnits } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Rows } from "./Rows";

/** The fills of a session. */
export function FillsTab({ sessionId }: { sessionId: string }) {
  return (
    <Rows<FillRow>
      id="listFills"
      sessionId={sessionId}
      ask={async ({ cursor, signal }) =>
        (await listFills({ path: { session_id: sessionId }, query: { cursor, limit: 100 }, signal })).data
      }
      label="Fills"
      columns={COLUMNS}
      keyOf={(row) => `${row.client_order_id} ${row.fill_id}`}
      card={(row) => <Card row={row} />}
      cardHeight={72}
      empty={{ title: "No fill yet", words: "An order that is executed, wholly or in part, stands here." }}
    />
  );
}

const side = (row: FillRow) => (row.side === "buy" ? "▲ buy" : "▼ sell");

const COLUMNS: Column<FillRow>[] = [
  { id: "at", header: "Filled (UTC)", width: 176, cell: (row) => <Instant at={row.at} /> },
  { id: "instrument", header: "Instrument", width: 156, grow: true, cell: (row) => row.instrument },
  { id: "side", header: "Side", width: 90, cell: side },
  { id: "units", header: "Units", width: 130, align: "right", cell: (row) => formatUnits(row.units) },
  { id: "price", header: "Price", width: 120, align: "right", cell: (row) => formatPrice(row.price) },
  { id: "fee", header: "Fee", width: 90, align: "right", cell: (row) => formatNumber(row.fee, "money") },
  {
    id: "order",
    header: "Order",
    width: 300,
    cell: (row) => <span className="mela-code">{row.client_order_id}</span>,
  },
];

function Card({ row }: { row: FillRow }) {
  return (
    <>
      <Text size="sm">
        {side(row)} {formatUnits(row.units)} {row.instrument}
      </Text>
      <Text size="xs" className="mela-muted">
        <Instant at={row.at} /> · at {formatPrice(row.price)} · fee {formatNumber(row.fee, "money")}
      </Text>
    </>
  );
}
