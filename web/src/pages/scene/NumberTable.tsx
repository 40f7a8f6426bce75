import { Table, Text } from "@mantine/core";
import type { ReactNode } from "react";

export interface NumberRow {
  name: ReactNode;
  value: ReactNode;
  /** What the number says, in a sentence */
  means?: ReactNode;
}

/** Numbers with what they mean. */
export function NumberTable({ label, rows }: { label: string; rows: readonly NumberRow[] }) {
  return (
    <Table aria-label={label} verticalSpacing={5} horizontalSpacing={0}>
      <Table.Tbody>
        {rows.map((row, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the rows are always the same
          <Table.Tr key={place}>
            <Table.Td style={{ verticalAlign: "top" }}>
              {row.name}
              {row.means && (
                <Text size="xs" className="mela-muted" maw={420}>
                  {row.means}
                </Text>
              )}
            </Table.Td>
            <Table.Td
              style={{ verticalAlign: "top", textAlign: "right", whiteSpace: "nowrap", paddingLeft: 12 }}
            >
              {row.value}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
