import { Table } from "@mantine/core";
import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";

interface Props {
  metrics: Record<string, number | null>;
  benchmark: Record<string, number | null>;
}

/** Every metric of a run, with that of buying and holding where there is one. */
export function AllMetrics({ metrics, benchmark }: Props) {
  const names = Object.keys(metrics);
  const half = Math.ceil(names.length / 2);
  return (
    <div
      style={{
        display: "grid",
        gridTemplateColumns: "repeat(auto-fit, minmax(min(340px, 100%), 1fr))",
        gap: 16,
      }}
    >
      {[names.slice(0, half), names.slice(half)].map((part) => (
        <Table key={part[0]} verticalSpacing={3} fz="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Metric</Table.Th>
              <Table.Th scope="col" className="mela-number">
                Run
              </Table.Th>
              <Table.Th scope="col" className="mela-number">
                Buy and hold
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {part.map((name) => (
              <Table.Tr key={name}>
                <Table.Th scope="row" fw={400}>
                  <MetricName name={name} />
                </Table.Th>
                <Table.Td className="mela-number">
                  <MetricValue name={name} value={metrics[name]} />
                </Table.Td>
                <Table.Td className="mela-number">
                  {name in benchmark && <MetricValue name={name} value={benchmark[name]} />}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ))}
    </div>
  );
}
