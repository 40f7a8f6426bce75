import { Table, Text } from "@mantine/core";
import type { DrawdownSpan } from "../../client";
import { formatNumber } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Sideways } from "../../components/Sideways";

interface Props {
  drawdowns: readonly DrawdownSpan[];
}

/** The worst falls below a peak, the deepest first. */
export function Drawdowns({ drawdowns }: Props) {
  if (drawdowns.length === 0) return <Text className="mela-muted">Equity never fell below a peak.</Text>;
  return (
    <Sideways label="Table: Worst drawdowns">
      <Table verticalSpacing={3} fz="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" className="mela-number">
              Depth
            </Table.Th>
            <Table.Th scope="col">Peak</Table.Th>
            <Table.Th scope="col">Lowest</Table.Th>
            <Table.Th scope="col">Recovered</Table.Th>
            <Table.Th scope="col" className="mela-number">
              Length
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {drawdowns.map((one) => (
            <Table.Tr key={one.started_at}>
              <Table.Td className="mela-number mela-loss">{formatNumber(one.depth, "fraction")}</Table.Td>
              <Table.Td>
                <Instant at={one.started_at} as="day" />
              </Table.Td>
              <Table.Td>
                <Instant at={one.lowest_at} as="day" />
              </Table.Td>
              <Table.Td>{one.recovered_at ? <Instant at={one.recovered_at} as="day" /> : "not yet"}</Table.Td>
              <Table.Td className="mela-number">{formatNumber(one.days, "days")}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sideways>
  );
}
