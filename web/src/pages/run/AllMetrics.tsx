import { Table } from "@mantine/core";
import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";
import styles from "./Run.module.css";

const COLUMNS = 3;

/** Every metric of a run. */
export function AllMetrics({ metrics, quote }: { metrics: Record<string, number | null>; quote: string }) {
  const names = Object.keys(metrics);
  const length = Math.ceil(names.length / COLUMNS);
  const parts = Array.from({ length: COLUMNS }, (_, place) =>
    names.slice(place * length, (place + 1) * length),
  );
  return (
    <div className={styles.metrics}>
      {parts.map((part) => (
        <Table key={part[0]} verticalSpacing={3} fz="xs">
          <Table.Tbody>
            {part.map((name) => (
              <Table.Tr key={name}>
                <Table.Th scope="row" fw={400}>
                  <MetricName name={name} />
                </Table.Th>
                <Table.Td className="mela-number">
                  <MetricValue name={name} value={metrics[name]} quote={quote} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ))}
    </div>
  );
}
