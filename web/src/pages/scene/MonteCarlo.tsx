import { Table, Text } from "@mantine/core";
import type { MonteCarloReport, QuantilesReport } from "../../client";
import { formatNumber } from "../../components/format";
import { Panel } from "../../components/Panel";
import { Sideways } from "../../components/Sideways";

/** How else it could have come: returns drawn again in blocks. */
export function MonteCarlo({ monteCarlo }: { monteCarlo: MonteCarloReport }) {
  const paths = monteCarlo.returns;
  if (!paths) return null;
  const levels = levelsOf(paths.total_return);
  const rows = [
    { name: "Return", of: paths.total_return },
    { name: "Largest drawdown", of: paths.max_drawdown },
  ];
  return (
    <Panel title="How else could it have come?">
      <Text size="sm" mb="xs">
        The returns, drawn again in blocks.
        {paths.loss_probability !== null &&
          paths.loss_probability !== undefined &&
          ` ${formatNumber(paths.loss_probability, "probability")} of these paths end with a loss.`}
      </Text>
      <Sideways label="Quantiles of the paths">
        <Table verticalSpacing={4} horizontalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Of 100 paths</Table.Th>
              {levels.map((level) => (
                <Table.Th key={level} ta="right">
                  {level === 0.5 ? "median" : `${Math.round(level * 100)}th`}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.name}>
                <Table.Td>{row.name}</Table.Td>
                {levels.map((level, place) => (
                  <Table.Td key={level} ta="right" className="mela-number">
                    {formatNumber(row.of.values?.[place], "fraction")}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Sideways>
    </Panel>
  );
}

function levelsOf(quantiles: QuantilesReport): number[] {
  return Array.isArray(quantiles.levels) ? (quantiles.levels as number[]) : [];
}
