import { Table, Text } from "@mantine/core";
import { signedPercent } from "../../charts/axis";
import { type Palette, shade } from "../../charts/colours";
import { fullShade, yearRows } from "../../charts/months";
import { usePalette } from "../../charts/usePalette";
import type { MonthReturn } from "../../client";
import { Sideways } from "../../components/Sideways";
import styles from "./Run.module.css";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Monthly returns, a row a year; the deeper the colour, the larger the return. */
export function MonthTable({ returns }: { returns: readonly MonthReturn[] }) {
  const palette = usePalette();
  const rows = yearRows(returns.map((one) => ({ year: one.year, month: one.month, return: one.value })));
  const full = fullShade(returns.map((one) => one.value));
  if (rows.length === 0) return <Text className="mela-muted">There is no whole month to show.</Text>;
  return (
    <Sideways label="Table: Returns by month">
      <Table className={styles.months} withRowBorders={false} horizontalSpacing={4} verticalSpacing={3}>
        <Table.Caption>UTC months, compounded to years on the right.</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Year</Table.Th>
            {MONTHS.map((month) => (
              <Table.Th key={month} scope="col" className="mela-number">
                {month}
              </Table.Th>
            ))}
            <Table.Th scope="col" className="mela-number">
              Year
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.year}>
              <Table.Th scope="row">{row.year}</Table.Th>
              {row.months.map((value, place) => (
                <Month key={MONTHS[place]} value={value} full={full} palette={palette} />
              ))}
              <Table.Td className="mela-number">
                <b>{row.total === null ? "" : signedPercent(row.total, 1)}</b>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sideways>
  );
}

function Month({ value, full, palette }: { value: number | null; full: number; palette: Palette }) {
  if (value === null) return <Table.Td />;
  return (
    <Table.Td className="mela-number" style={{ background: shade(value, full, palette), color: palette.ink }}>
      {signedPercent(value, 1)}
    </Table.Td>
  );
}
