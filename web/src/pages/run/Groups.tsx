import { Table, Text } from "@mantine/core";
import { compact, signedPercent } from "../../charts/axis";
import type { TradeGroup } from "../../client";
import styles from "./Run.module.css";

interface Props {
  title: string;
  groups: readonly TradeGroup[];
  /** How a group's name is shown */
  name?: (group: string) => string;
}

/** What the trades of each group came to: a bar to the right of the middle is a profit. */
export function Groups({ title, groups, name = words }: Props) {
  const largest = Math.max(...groups.map((group) => Math.abs(group.pnl)), 0);
  if (groups.length === 0) return null;
  return (
    <section aria-label={title}>
      <Table className={styles.groups} horizontalSpacing={6} verticalSpacing={3}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{title}</Table.Th>
            <Table.Th scope="col" className="mela-number">
              Trades
            </Table.Th>
            <Table.Th scope="col" className="mela-number">
              Won
            </Table.Th>
            <Table.Th scope="col" className="mela-number">
              Mean return
            </Table.Th>
            <Table.Th scope="col" className="mela-number">
              Profit
            </Table.Th>
            <Table.Td aria-hidden w="26%" className={styles.barCell} />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {groups.map((group) => (
            <Table.Tr key={group.group}>
              <Table.Th scope="row">{name(group.group)}</Table.Th>
              <Table.Td className="mela-number">{group.trades.toLocaleString("en-US")}</Table.Td>
              <Table.Td className="mela-number">
                {group.trades > 0 ? `${Math.round((100 * group.wins) / group.trades)} %` : "–"}
              </Table.Td>
              <Table.Td className="mela-number">{signedPercent(group.mean_return, 2)}</Table.Td>
              <Table.Td className="mela-number">{signed(group.pnl)}</Table.Td>
              <Table.Td aria-hidden className={styles.barCell}>
                <Bar value={group.pnl} largest={largest} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  );
}

/** Return a sum with its sign: +1.2K, −35. */
function signed(value: number): string {
  return value < 0 ? `−${compact(-value)}` : value > 0 ? `+${compact(value)}` : "0";
}

export function words(group: string): string {
  return group.replaceAll("_", " ");
}

function Bar({ value, largest }: { value: number; largest: number }) {
  const length = largest > 0 ? (Math.abs(value) / largest) * 50 : 0;
  return (
    <svg className={styles.bar} viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <line x1="50" x2="50" y1="0" y2="10" className={styles.middle} />
      <rect
        x={value < 0 ? 50 - length : 50}
        width={length}
        y="1.5"
        height="7"
        className={value < 0 ? styles.lost : styles.gained}
      />
    </svg>
  );
}

const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** All breakdowns of a run's trades. */
export function AllGroups({
  byReason,
  bySide,
  byMonth,
  byWeekday,
  byHour,
}: Record<"byReason" | "bySide" | "byMonth" | "byWeekday" | "byHour", readonly TradeGroup[]>) {
  if (byReason.length === 0) return <Text className="mela-muted">The run made no trades.</Text>;
  return (
    <div className={styles.breakdown}>
      <Groups title="Exit reason" groups={byReason} />
      <Groups title="Side" groups={bySide} />
      <Groups
        title="Weekday of entry"
        groups={byWeekday}
        name={(day) => WEEKDAYS[Number(day)] ?? words(day)}
      />
      <Groups title="Month of entry" groups={byMonth} name={words} />
      <Groups title="Hour of entry, UTC" groups={byHour} name={(hour) => `${hour.padStart(2, "0")}:00`} />
    </div>
  );
}
