import { Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Comparison } from "../../client";
import { formatPrice, formatUnits } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Num } from "../../components/Num";
import { Sideways } from "../../components/Sideways";

/** Where the trades of the runs part. */
export function FirstTrade({ comparison }: { comparison: Comparison }) {
  const { runs, first_differing_trade: first } = comparison;
  if (!first) {
    const isKnown = runs.every((one) => one.has_curve);
    return (
      <Text className="mela-muted">
        {isKnown ? "All trades are the same." : "Of some runs the trades are not stored."}
      </Text>
    );
  }
  return (
    <>
      <Text size="sm" mb="xs">
        The first{" "}
        {first.seq === 0
          ? "trades differ already"
          : `${first.seq.toLocaleString("en-US")} trades are the same`}
        ; this is trade {first.seq + 1}:
      </Text>
      <Sideways label="Table: First trade that differs">
        <Table verticalSpacing={4} fz="sm">
          <Table.Thead>
            <Table.Tr>
              {["Run", "Side", "Entry", "Exit", "Reason"].map((name) => (
                <Table.Th key={name} scope="col">
                  {name}
                </Table.Th>
              ))}
              {["Entry price", "Exit price", "Size", "Profit"].map((name) => (
                <Table.Th key={name} scope="col" className="mela-number">
                  {name}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {runs.map((run, place) => {
              const trade = first.trades[place];
              return (
                <Table.Tr key={run.run_key}>
                  <Table.Th scope="row">
                    <Link
                      to="/runs/$runKey"
                      params={{ runKey: run.run_key }}
                      search={{ trade: trade ? first.seq : undefined }}
                      className="mela-quiet-link"
                    >
                      {run.label}
                    </Link>
                  </Table.Th>
                  {trade ? (
                    <>
                      <Table.Td>{trade.side}</Table.Td>
                      <Table.Td>
                        <Instant at={trade.entry_at} />
                      </Table.Td>
                      <Table.Td>
                        <Instant at={trade.exit_at} />
                      </Table.Td>
                      <Table.Td>{trade.reason.replaceAll("_", " ")}</Table.Td>
                      <Table.Td className="mela-number">{formatPrice(trade.entry_price)}</Table.Td>
                      <Table.Td className="mela-number">{formatPrice(trade.exit_price)}</Table.Td>
                      <Table.Td className="mela-number">{formatUnits(Math.abs(trade.size), 6)}</Table.Td>
                      <Table.Td className="mela-number">
                        <Num value={trade.pnl} unit="money" isChange />
                      </Table.Td>
                    </>
                  ) : (
                    <Table.Td colSpan={8} className="mela-muted">
                      no trade here
                    </Table.Td>
                  )}
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Sideways>
    </>
  );
}
