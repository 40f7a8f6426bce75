import { Switch, Table } from "@mantine/core";
import { useState } from "react";
import type { Comparison, MetricCompared } from "../../client";
import { formatChange } from "../../components/format";
import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";
import { useMetrics } from "../../components/metrics";
import { Sideways } from "../../components/Sideways";
import styles from "./Compare.module.css";

/** Metrics side by side. The best is marked; below a value, how far it is from the first run's. */
export function MetricTable({ comparison: { runs, metrics } }: { comparison: Comparison }) {
  const [isAll, setAll] = useState(true);
  const shown = isAll ? metrics : metrics.filter(differs);
  return (
    <>
      <Switch
        size="xs"
        mb="xs"
        className="mela-no-print"
        label="Only metrics that differ"
        checked={!isAll}
        onChange={(event) => setAll(!event.currentTarget.checked)}
      />
      <Sideways label="Table: Metrics of the runs">
        <Table verticalSpacing={3} fz="sm" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col" className={styles.sticky}>
                Metric
              </Table.Th>
              {runs.map((one) => (
                <Table.Th key={one.run_key} scope="col" className="mela-number">
                  {one.label}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((metric) => (
              <Table.Tr key={metric.name}>
                <Table.Th scope="row" fw={400} className={styles.sticky}>
                  <MetricName name={metric.name} />
                </Table.Th>
                {runs.map((run, place) => (
                  <Cell key={run.run_key} metric={metric} place={place} />
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Sideways>
    </>
  );
}

/** Say whether a metric is not the same in all runs. */
export function differs(metric: Pick<MetricCompared, "values">): boolean {
  return metric.values.some((value) => value !== metric.values[0]);
}

/** Return how far a run's value is from the first run's; null for the first, and where one is undefined. */
export function difference(values: readonly (number | null)[], place: number): number | null {
  const [first, own] = [values[0], values[place]];
  if (place === 0 || typeof first !== "number" || typeof own !== "number") return null;
  return own - first;
}

// More or fewer of these is neither good nor bad.
const NOT_JUDGED = new Set([
  "trades",
  "winning_trades",
  "losing_trades",
  "open_trades",
  "exposure_time",
  "turnover",
  "beta",
  "buy_hold_return",
]);

function Cell({ metric, place }: { metric: MetricCompared; place: number }) {
  const definition = useMetrics().get(metric.name);
  const isJudged = !NOT_JUDGED.has(metric.name);
  const isBest = isJudged && differs(metric) && metric.best.includes(place);
  const off = difference(metric.values, place);
  const isBetter = off !== null && (definition?.better === "lower" ? off < 0 : off > 0);
  return (
    <Table.Td className={`mela-number ${isBest ? styles.best : ""}`}>
      {isBest && (
        <span role="img" aria-label="best" title="the best">
          ★{" "}
        </span>
      )}
      <MetricValue name={metric.name} value={metric.values[place]} />
      {off !== null && off !== 0 && (
        <span
          className={`${styles.difference} ${isJudged ? (isBetter ? "mela-gain" : "mela-loss") : "mela-muted"}`}
        >
          {formatChange(off, definition?.unit)} {isJudged && (isBetter ? "better" : "worse")}
        </span>
      )}
    </Table.Td>
  );
}
