import { Alert, Button, Group, Select, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { type Interval, putWatchlist, type WatchedSeries } from "../../client";
import {
  getWatchlistOptions,
  getWatchlistQueryKey,
  listSeriesQueryKey,
} from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { INTERVALS } from "../../components/intervals";
import { Panel } from "../../components/Panel";
import { ProblemView } from "../../components/ProblemView";
import { RemoveButton } from "../../components/RemoveButton";
import { may, useMe } from "../../session";
import { InstrumentField } from "./AskBackfill";

/** The series that the daily ingestion keeps up to date. */
export function WatchTab() {
  const me = useMe();
  const client = useQueryClient();
  const found = useQuery(getWatchlistOptions());
  const put = useMutation({
    mutationFn: (items: WatchedSeries[]) => putWatchlist({ body: { items } }),
    onSuccess: async ({ data: answer }) => {
      client.setQueryData(getWatchlistQueryKey(), answer);
      await client.invalidateQueries({ queryKey: listSeriesQueryKey() });
    },
  });
  if (!hasAnswer(found)) return <Unanswered to={found} />;
  const { data } = found;
  const canEdit = may(me, "trader");
  const without = (gone: WatchedSeries) => data.items.filter((one) => keyOf(one) !== keyOf(gone));
  return (
    <Stack gap="md">
      <Panel title="Watch list">
        <Text size="sm" mb="sm" className="mela-muted">
          The daily ingestion loads the newest candles of these series.
        </Text>
        {data.items.length === 0 && (
          <Alert variant="light" color="gray" title="The list is empty">
            While it is, these series are loaded: {data.defaults.map(keyOf).join(", ")}. As soon as one stands
            on the list, only the list counts.
          </Alert>
        )}
        {put.error && <ProblemView error={put.error} />}
        <Table verticalSpacing={4} fz="sm" maw={560}>
          <Table.Tbody>
            {data.items.map((one) => (
              <Table.Tr key={keyOf(one)}>
                <Table.Td>{one.instrument}</Table.Td>
                <Table.Td>{one.interval}</Table.Td>
                <Table.Td ta="right">
                  {canEdit && (
                    <RemoveButton
                      label={`Take ${keyOf(one)} from the list`}
                      disabled={put.isPending}
                      onClick={() => put.mutate(without(one))}
                    />
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        {canEdit && <Add isBusy={put.isPending} onAdd={(one) => put.mutateAsync([...without(one), one])} />}
      </Panel>
    </Stack>
  );
}

function keyOf(one: WatchedSeries): string {
  return `${one.instrument} ${one.interval}`;
}

function Add({ isBusy, onAdd }: { isBusy: boolean; onAdd: (one: WatchedSeries) => Promise<unknown> }) {
  const [instrument, setInstrument] = useState("");
  const [interval, setInterval] = useState<Interval>("1h");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // A refusal is shown above the list; what was typed stays.
    onAdd({ instrument, interval }).then(
      () => setInstrument(""),
      () => undefined,
    );
  };
  return (
    <form onSubmit={submit}>
      <Group gap="sm" align="flex-end" mt="sm">
        <InstrumentField value={instrument} onChange={setInstrument} />
        <Select
          label="Interval"
          w={110}
          data={[...INTERVALS]}
          value={interval}
          allowDeselect={false}
          onChange={(value) => value && setInterval(value as Interval)}
        />
        <Button type="submit" variant="default" disabled={!instrument} loading={isBusy}>
          Add
        </Button>
      </Group>
    </form>
  );
}
