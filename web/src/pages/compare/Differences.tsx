import { Table, Text } from "@mantine/core";
import type { Comparison } from "../../client";
import { formatParam, paramName } from "../../components/format";
import { Sideways } from "../../components/Sideways";
import styles from "./Compare.module.css";

/** The fields of the question that are not the same in all runs. */
export function Differences({ comparison: { runs, differences } }: { comparison: Comparison }) {
  if (differences.length === 0) {
    return <Text className="mela-muted">Nothing: they ask for the same.</Text>;
  }
  return (
    <Sideways label="Table: Differences">
      <Table verticalSpacing={4} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" className={styles.sticky}>
              Field
            </Table.Th>
            {runs.map((one) => (
              <Table.Th key={one.run_key} scope="col" className="mela-number">
                {one.label}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {differences.map((one) => (
            <Table.Tr key={one.path}>
              <Table.Th scope="row" className={styles.sticky} title={one.path}>
                {paramName(one.path)}
              </Table.Th>
              {runs.map((run, place) => (
                <Table.Td key={run.run_key} className="mela-number">
                  {formatParam(one.values[place])}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sideways>
  );
}
