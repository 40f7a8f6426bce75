import { Autocomplete, Button, Checkbox, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { type Interval, startBackfill, type WatchedSeries } from "../../client";
import { listBackfillsQueryKey, listInstrumentsOptions } from "../../client/@tanstack/react-query.gen";
import { INTERVALS } from "../../components/intervals";
import { ProblemView } from "../../components/ProblemView";

interface Props {
  series?: WatchedSeries;
  span?: { start: string; end: string };
  label: string;
}

/** A button that opens a form to ask for candles. */
export function AskBackfill(props: Props) {
  const [isOpen, modal] = useDisclosure(false);
  return (
    <>
      <Button size="xs" onClick={modal.open}>
        {props.label}
      </Button>
      <Modal
        opened={isOpen}
        onClose={modal.close}
        title="Load candles"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <Form {...props} onDone={modal.close} />
      </Modal>
    </>
  );
}

function Form({ series, span, onDone }: Props & { onDone: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [instrument, setInstrument] = useState(series?.instrument ?? "");
  const [interval, setInterval] = useState<Interval>(series?.interval ?? "1h");
  const [start, setStart] = useState(span?.start.slice(0, 10) ?? "");
  const [end, setEnd] = useState(span ? dayAfter(span.end) : "");
  const [isForced, setForced] = useState(false);
  const ask = useMutation({
    mutationFn: () =>
      startBackfill({
        body: {
          series: [{ instrument, interval }],
          start: atMidnight(start),
          end: atMidnight(end),
          force: isForced,
        },
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: listBackfillsQueryKey() });
      onDone();
      await navigate({ to: "/data", search: { tab: "backfills" } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  const isWrong = start !== "" && end !== "" && end <= start;
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <InstrumentField value={instrument} onChange={setInstrument} />
        <Select
          label="Interval"
          data={[...INTERVALS]}
          value={interval}
          allowDeselect={false}
          onChange={(value) => value && setInterval(value as Interval)}
        />
        <Group grow align="flex-start">
          <TextInput
            type="date"
            label="From (UTC)"
            required
            value={start}
            onChange={(event) => setStart(event.currentTarget.value)}
          />
          <TextInput
            type="date"
            label="To, not included"
            required
            value={end}
            error={isWrong ? "It must be after the first day" : undefined}
            onChange={(event) => setEnd(event.currentTarget.value)}
          />
        </Group>
        <Checkbox
          label="Load days again that were loaded before"
          checked={isForced}
          onChange={(event) => setForced(event.currentTarget.checked)}
        />
        <Text size="xs" className="mela-muted">
          Airflow loads the candles from the market's service and checks them. Results that a changed candle
          touches become stale.
        </Text>
        {ask.error && <ProblemView error={ask.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button type="submit" loading={ask.isPending} disabled={!instrument || isWrong}>
            Load
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** A field for an instrument, which offers those that were loaded once. */
export function InstrumentField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text] = useDebouncedValue(value, 200);
  const { data } = useQuery(listInstrumentsOptions({ query: { text: text || undefined, limit: 20 } }));
  return (
    <Autocomplete
      label="Instrument"
      placeholder="binance:BTCUSDT"
      required
      value={value}
      onChange={onChange}
      data={data?.items.map((one) => one.name) ?? []}
      filter={({ options }) => options}
    />
  );
}

function atMidnight(day: string): string {
  return `${day}T00:00:00Z`;
}

/** Return the first day that begins at or after an instant. */
export function dayAfter(instant: string): string {
  return new Date(Math.ceil(Date.parse(instant) / 86_400_000) * 86_400_000).toISOString().slice(0, 10);
}
