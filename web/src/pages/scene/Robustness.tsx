import { Table, Text, Title } from "@mantine/core";
import type { RobustnessReport } from "../../client";
import { formatNumber } from "../../components/format";
import { metricLabel, useMetrics } from "../../components/metrics";
import { Num } from "../../components/Num";
import { Panel } from "../../components/Panel";
import { Sideways } from "../../components/Sideways";
import { type NumberRow, NumberTable } from "./NumberTable";

interface Year {
  year: number;
  total_return?: number | null;
  max_drawdown?: number | null;
  trades?: number | null;
  [metric: string]: number | null | undefined;
}

/** What is left of the result under other costs, delays, neighbours and shuffled candles. */
export function Robustness({ robustness }: { robustness: RobustnessReport }) {
  const metrics = useMetrics();
  const metric = robustness.metric ?? "sharpe";
  const unit = metrics.get(metric)?.unit ?? "number";
  const label = metricLabel(metric);
  const { break_even: cost, delayed, plateau, permuted } = robustness;
  const rows: NumberRow[] = [];
  if (cost && cost.per_fill !== null && cost.per_fill !== undefined) {
    rows.push({
      name: "Break-even cost of a fill",
      value: formatNumber(cost.per_fill, "fraction"),
      means: "The gain is gone if a fill costs this much.",
    });
  }
  if (delayed) {
    rows.push({
      name: `${capital(label)}, a candle later`,
      value: (
        <>
          <Num value={delayed[metric]} unit={unit} />{" "}
          <span className="mela-muted">of {formatNumber(robustness.value, unit)}</span>
        </>
      ),
      means: "Each order fills one candle after it would have.",
    });
  }
  if (plateau) {
    rows.push({
      name: "Neighbours that gain, too",
      value: `${formatNumber(plateau.positive, "fraction")} of ${formatNumber(plateau.tried, "count")}`,
      means: "Parameters one step away. A good choice has good neighbours.",
    });
  }
  if (permuted && permuted.p_value !== null && permuted.p_value !== undefined) {
    rows.push({
      name: "As good on shuffled candles",
      value: formatNumber(permuted.p_value, "probability"),
      means: "How often the same rules do as well where there is nothing to find.",
    });
  }
  const years = Array.isArray(robustness.years) ? (robustness.years as Year[]) : [];
  return (
    <Panel title="Would it bear a change?">
      {robustness.reason && <Text size="sm">{robustness.reason}</Text>}
      <NumberTable label="Robustness" rows={rows} />
      {years.length > 0 && (
        <>
          <Title order={3} mt="sm" mb={4}>
            Each year
          </Title>
          <Sideways label="Each year">
            <Table verticalSpacing={4} horizontalSpacing={6}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Year</Table.Th>
                  <Table.Th ta="right">{capital(label)}</Table.Th>
                  <Table.Th ta="right">Return</Table.Th>
                  <Table.Th ta="right">Drawdown</Table.Th>
                  <Table.Th ta="right">Trades</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {years.map((year) => (
                  <Table.Tr key={year.year}>
                    <Table.Td>{year.year}</Table.Td>
                    <Table.Td ta="right">
                      <Num value={year[metric]} unit={unit} />
                    </Table.Td>
                    <Table.Td ta="right">
                      <Num value={year.total_return} unit="fraction" isChange />
                    </Table.Td>
                    <Table.Td ta="right">
                      <Num value={year.max_drawdown} unit="fraction" />
                    </Table.Td>
                    <Table.Td ta="right">{formatNumber(year.trades, "count")}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Sideways>
        </>
      )}
    </Panel>
  );
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
