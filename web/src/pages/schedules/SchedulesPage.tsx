import {
  Alert,
  Button,
  Group,
  Modal,
  Stack,
  Switch,
  Table,
  Text,
  Title,
  VisuallyHidden,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { changeSchedule, removeSchedule, type ScheduleChange, type ScheduleRow } from "../../client";
import { listSchedulesOptions, listSchedulesQueryKey } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { Instant } from "../../components/Instant";
import { ProblemView } from "../../components/ProblemView";
import { RemoveButton } from "../../components/RemoveButton";
import { Sideways } from "../../components/Sideways";
import { may, useMe } from "../../session";
import { AddSchedule } from "./AddSchedule";

/** Scenes that come again whenever their candles are complete. */
export default function SchedulesPage() {
  const me = useMe();
  const [isOpen, modal] = useDisclosure(false);
  const found = useQuery({ ...listSchedulesOptions(), refetchInterval: 30_000 });
  const data = hasAnswer(found) ? found.data : undefined;
  const add = may(me, "trader") && <Button onClick={modal.open}>Add a schedule</Button>;
  return (
    <Stack gap="md">
      <title>Schedules · Mela</title>
      <Group justify="space-between">
        <div>
          <Title order={1}>Schedules</Title>
          <Text size="sm" className="mela-muted">
            Scenes that are published again over their newest candles.
          </Text>
        </div>
        {data && data.items.length > 0 && add}
      </Group>
      {!data && <Unanswered to={found} />}
      {data?.items.length === 0 && (
        <EmptyState title="No scene comes again yet" action={add}>
          A schedule publishes a scene over, say, the newest 90 days, each time its candles are complete.
        </EmptyState>
      )}
      {data && data.items.length > 0 && <Rows items={data.items} />}
      <Modal
        opened={isOpen}
        onClose={modal.close}
        title="Add a schedule"
        size="lg"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <AddSchedule onDone={modal.close} />
      </Modal>
    </Stack>
  );
}

function Rows({ items }: { items: readonly ScheduleRow[] }) {
  const me = useMe();
  const client = useQueryClient();
  const [leaving, setLeaving] = useState<ScheduleRow | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: listSchedulesQueryKey() });
  const change = useMutation({
    mutationFn: ({ row, body }: { row: ScheduleRow; body: ScheduleChange }) =>
      changeSchedule({ path: { name: row.name }, body }),
    onSettled: refresh,
  });
  const mayChange = (row: ScheduleRow) => may(me, "trader") && (row.is_mine || may(me, "admin"));
  return (
    <>
      {change.error && <ProblemView error={change.error} />}
      <div className="mela-panel">
        <Sideways label="Table: Schedules">
          <Table verticalSpacing={5} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Active</Table.Th>
                <Table.Th scope="col">Private</Table.Th>
                <Table.Th scope="col">Name</Table.Th>
                <Table.Th scope="col">Asks for</Table.Th>
                <Table.Th scope="col">Span</Table.Th>
                <Table.Th scope="col">When</Table.Th>
                <Table.Th scope="col">Covered until</Table.Th>
                <Table.Th scope="col">State</Table.Th>
                <Table.Th scope="col">Owner</Table.Th>
                <Table.Th scope="col">
                  <VisuallyHidden>Remove</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((row) => (
                <Table.Tr key={row.name}>
                  <Table.Td>
                    <Switch
                      size="xs"
                      aria-label={`${row.name} is active`}
                      checked={row.is_active}
                      disabled={!mayChange(row) || change.isPending}
                      onChange={() => change.mutate({ row, body: { is_active: !row.is_active } })}
                    />
                  </Table.Td>
                  <Table.Td>
                    <Switch
                      size="xs"
                      aria-label={`${row.name} is private`}
                      checked={row.is_private}
                      disabled={!may(me, "trader") || !row.is_mine || change.isPending}
                      onChange={() => change.mutate({ row, body: { is_private: !row.is_private } })}
                    />
                  </Table.Td>
                  <Table.Th scope="row">{row.name}</Table.Th>
                  <Table.Td>
                    {row.strategy} on{" "}
                    {row.instruments.length > 3
                      ? `${row.instruments.length} instruments`
                      : row.instruments.join(", ")}
                    , {row.interval}
                  </Table.Td>
                  <Table.Td>{row.span}</Table.Td>
                  <Table.Td>
                    {row.every === "complete" ? "at each new candle" : <code>{row.every}</code>}
                  </Table.Td>
                  <Table.Td>
                    <Instant at={row.last_covered_until} />
                  </Table.Td>
                  <Table.Td>
                    <Waits row={row} />
                  </Table.Td>
                  <Table.Td>{row.owner ?? "–"}</Table.Td>
                  <Table.Td>
                    {mayChange(row) && (
                      <RemoveButton label={`Remove ${row.name}`} onClick={() => setLeaving(row)} />
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Sideways>
      </div>
      <Modal
        opened={leaving !== null}
        onClose={() => setLeaving(null)}
        title="Remove a schedule"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {leaving && <Removal row={leaving} onDone={() => setLeaving(null)} />}
      </Modal>
    </>
  );
}

function Waits({ row }: { row: ScheduleRow }) {
  if (!row.is_active) return <Text size="sm">paused</Text>;
  return (
    <>
      <Text size="sm">{row.waits_for ?? "due: it comes with the next look"}</Text>
      {row.last_scene_id && (
        <Link to="/scenes/$sceneId" params={{ sceneId: row.last_scene_id }} className="mela-quiet-link">
          its newest scene
        </Link>
      )}
    </>
  );
}

function Removal({ row, onDone }: { row: ScheduleRow; onDone: () => void }) {
  const client = useQueryClient();
  const drop = useMutation({
    mutationFn: () => removeSchedule({ path: { name: row.name } }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: listSchedulesQueryKey() });
      onDone();
    },
  });
  return (
    <Stack gap="sm">
      <Text size="sm">
        <b>{row.name}</b> is published no longer. Scenes that it published stay.
      </Text>
      {drop.error && <Alert color="orange">{drop.error.message}</Alert>}
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          Keep it
        </Button>
        <Button color="red" loading={drop.isPending} onClick={() => drop.mutate()}>
          Remove
        </Button>
      </Group>
    </Stack>
  );
}
