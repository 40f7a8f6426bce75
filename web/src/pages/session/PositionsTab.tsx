import { Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { TradingSessionRow } from "../../client";
import { listPositionsOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { formatNumber, formatPrice, formatUnits } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Num } from "../../components/Num";
import { Sideways } from "../../components/Sideways";

/** What a session holds now. */
export function PositionsTab({ session }: { session: TradingSessionRow }) {
  const found = useQuery(listPositionsOptions({ path: { session_id: session.session_id } }));
  if (!hasAnswer(found)) return <Unanswered to={found} what="This session" />;
  const { data } = found;
  if (data.items.length === 0) {
    return <EmptyState title="It holds nothing">A position stands here from its first fill.</EmptyState>;
  }
  return (
    <Sideways label="Table: Positions">
      <Table verticalSpacing={5} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Instrument</Table.Th>
            <Table.Th scope="col">Side</Table.Th>
            <Table.Th scope="col" ta="right">
              Units
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Average price
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Last close
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Value
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Profit so far
            </Table.Th>
            <Table.Th scope="col">Since (UTC)</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data.items.map((row) => (
            <Table.Tr key={row.instrument} data-position={row.instrument}>
              <Table.Th scope="row">{row.instrument}</Table.Th>
              <Table.Td>{row.units < 0 ? "▼ short" : "▲ long"}</Table.Td>
              <Table.Td ta="right">{formatUnits(Math.abs(row.units))}</Table.Td>
              <Table.Td ta="right">{formatPrice(row.average_price)}</Table.Td>
              <Table.Td ta="right">{formatPrice(row.price)}</Table.Td>
              <Table.Td ta="right">{formatNumber(row.value, "money")}</Table.Td>
              <Table.Td ta="right">
                <Num value={row.profit} unit="money" isChange />
              </Table.Td>
              <Table.Td>
                <Instant at={row.entered_at} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sideways>
  );
}
