import { Group, Progress, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Backfill } from "../../client";
import { getBackfillOptions, listBackfillsOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { Instant, Span } from "../../components/Instant";
import { Sideways } from "../../components/Sideways";
import { StateBadge } from "../../components/StateBadge";
import { may, useMe } from "../../session";
import { AskBackfill } from "./AskBackfill";
import styles from "./Data.module.css";

const LIVE_MS = 2_000;
const QUIET_MS = 30_000;

/** The newest loads that somebody asked for, and how far they are. */
export function Backfills() {
  const me = useMe();
  const found = useQuery({
    ...listBackfillsOptions({ query: { limit: 50 } }),
    refetchInterval: (query) => (query.state.data?.items.some(isRunning) ? LIVE_MS : QUIET_MS),
  });
  const data = hasAnswer(found) ? found.data : undefined;
  return (
    <Stack gap="md">
      {may(me, "trader") && (
        <Group>
          <AskBackfill label="Load candles…" />
        </Group>
      )}
      {!data && <Unanswered to={found} />}
      {data?.items.length === 0 && <EmptyState title="Nobody has asked for candles yet" />}
      {data && data.items.length > 0 && <List items={data.items} />}
    </Stack>
  );
}

export function isRunning(backfill: Pick<Backfill, "state">): boolean {
  return backfill.state === "queued" || backfill.state === "running";
}

function List({ items }: { items: readonly Backfill[] }) {
  return (
    <div className="mela-panel">
      <Sideways label="Table: Backfills">
        <Table verticalSpacing={5} fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">State</Table.Th>
              <Table.Th scope="col">Series</Table.Th>
              <Table.Th scope="col">Span</Table.Th>
              <Table.Th scope="col">Asked</Table.Th>
              <Table.Th scope="col">Finished</Table.Th>
              <Table.Th scope="col">Tasks</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((one) => (
              <Table.Tr key={one.backfill_id}>
                <Table.Td>
                  <StateBadge state={one.state} />
                </Table.Td>
                <Table.Td>
                  {one.series.length > 3 ? `${one.series.length} series` : one.series.join(", ")}
                </Table.Td>
                <Table.Td>
                  <Span start={one.start} end={one.end} />
                </Table.Td>
                <Table.Td>
                  <Instant at={one.queued_at} as="ago" />
                </Table.Td>
                <Table.Td>
                  <Instant at={one.finished_at} />
                </Table.Td>
                <Table.Td>
                  <Tasks backfill={one} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Sideways>
    </div>
  );
}

function Tasks({ backfill }: { backfill: Backfill }) {
  // The list does not tell of tasks, which Airflow is asked for one backfill at a time.
  const isOn = isRunning(backfill);
  const found = useQuery({
    ...getBackfillOptions({ path: { backfill_id: backfill.backfill_id } }),
    // Once more after its end, whose tasks would stand as they were before.
    enabled: ({ state }) => isOn || (state.data !== undefined && isRunning(state.data)),
    refetchInterval: LIVE_MS,
  });
  const tasks = found.data?.tasks ?? backfill.tasks;
  const all = Object.values(tasks).reduce((sum, count) => sum + count, 0);
  const done = tasks.success ?? 0;
  if (all === 0) return <Text size="xs">–</Text>;
  return (
    <>
      {isOn && <Progress value={(100 * done) / all} size="sm" aria-label={`${done} of ${all} tasks done`} />}
      <div className={styles.tasks}>
        {Object.entries(tasks).map(([state, count]) => (
          <span key={state}>
            {count} {state.replaceAll("_", " ")}
          </span>
        ))}
      </div>
    </>
  );
}
