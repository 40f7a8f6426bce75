import { Stack, Switch, Text } from "@mantine/core";
import { useState } from "react";
import { listOrders, type OrderRow } from "../../client";
import type { Column } from "../../components/DataTable";
import { formatPrice, formatUnits } from "../../components/format";
import { Instant } from "../../components/Instant";
import { StateBadge } from "../../components/StateBadge";
import { Rows } from "./Rows";

/** The orders of a session. */
export function OrdersTab({ sessionId }: { sessionId: string }) {
  const [isOpenOnly, setOpenOnly] = useState(false);
  return (
    <Stack gap="sm">
      <Switch
        size="xs"
        label="Only open ones"
        checked={isOpenOnly}
        onChange={(event) => setOpenOnly(event.currentTarget.checked)}
      />
      <Rows<OrderRow>
        id="listOrders"
        sessionId={sessionId}
        query={{ only_open: isOpenOnly }}
        ask={async ({ cursor, signal }) => {
          const query = { only_open: isOpenOnly, cursor, limit: 100 };
          return (await listOrders({ path: { session_id: sessionId }, query, signal })).data;
        }}
        label="Orders"
        columns={COLUMNS}
        keyOf={(row) => row.client_order_id}
        card={(row) => <Card row={row} />}
        cardHeight={104}
        empty={
          isOpenOnly
            ? { title: "No order is open", words: "Every order has been filled, or has ended." }
            : { title: "No order yet", words: "The strategy has not entered since the session began." }
        }
      />
    </Stack>
  );
}

const side = (row: OrderRow) => `${row.side === "buy" ? "▲" : "▼"} ${row.side}, ${row.leg}`;

const COLUMNS: Column<OrderRow>[] = [
  { id: "at", header: "Intended (UTC)", width: 176, cell: (row) => <Instant at={row.intended_at} /> },
  { id: "instrument", header: "Instrument", width: 156, grow: true, cell: (row) => row.instrument },
  { id: "side", header: "Side", width: 110, cell: side },
  { id: "kind", header: "Kind", width: 80, cell: (row) => row.kind },
  { id: "units", header: "Units", width: 120, align: "right", cell: (row) => formatUnits(row.units) },
  {
    id: "filled",
    header: "Filled",
    width: 120,
    align: "right",
    cell: (row) => formatUnits(row.filled_units),
  },
  {
    id: "price",
    header: "Average price",
    width: 110,
    align: "right",
    cell: (row) => formatPrice(row.average_price),
  },
  { id: "state", header: "State", width: 120, cell: (row) => <StateBadge state={row.state} /> },
  {
    id: "why",
    header: "Why",
    width: 160,
    grow: true,
    cell: (row) => <span title={row.why ?? ""}>{row.why}</span>,
  },
  {
    id: "id",
    header: "Client order id",
    width: 300,
    cell: (row) => (
      <span className="mela-code" title={row.broker_order_id ? `at the broker: ${row.broker_order_id}` : ""}>
        {row.client_order_id}
      </span>
    ),
  },
];

function Card({ row }: { row: OrderRow }) {
  return (
    <>
      <Text size="sm">
        {side(row)} {formatUnits(row.units)} {row.instrument}
      </Text>
      <Text size="xs" component="div">
        <StateBadge state={row.state} />
      </Text>
      <Text size="xs" className="mela-muted">
        <Instant at={row.intended_at} /> · filled {formatUnits(row.filled_units)} at{" "}
        {formatPrice(row.average_price)}
      </Text>
      <Text size="xs" className="mela-muted" truncate>
        {row.why}
      </Text>
    </>
  );
}
