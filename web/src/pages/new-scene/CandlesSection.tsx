import { Button, Group, SegmentedControl, Select, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useQueries, useQuery } from "@tanstack/react-query";
import type { Interval, SeriesRow } from "../../client";
import { getCoverageOptions, listSeriesOptions } from "../../client/@tanstack/react-query.gen";
import { formatDay, formatNumber } from "../../components/format";
import { INTERVALS } from "../../components/intervals";
import { Panel } from "../../components/Panel";
import { lastYear } from "./draft";
import styles from "./NewScene.module.css";
import { useFault, useScene } from "./sceneContext";
import type { Fields } from "./sceneText";

/** Coverage is asked for so many instruments at most; a scene on more is looked at when it is checked. */
const MOST_COVERED = 4;

/** Which candles: instruments, their interval, and a span for which candles exist. */
export function CandlesSection() {
  const { scene, isLocked, edit } = useScene();
  const { data } = useQuery({ ...listSeriesOptions(), staleTime: 30_000 });
  const series = data?.items ?? [];
  const instruments = textsOf(scene.instruments);
  const interval = typeof scene.interval === "string" ? scene.interval : null;
  const known = [...new Set(series.map((one) => one.instrument))];
  const stored = new Set(
    series.filter((one) => instruments.includes(one.instrument)).map((one) => one.interval),
  );
  const chosen = series.filter((one) => instruments.includes(one.instrument) && one.interval === interval);
  const instrumentsFault = useFault("instruments");
  const intervalFault = useFault("interval");
  const startFault = useFault("start");
  const endFault = useFault("end");

  return (
    <Panel title="Candles">
      <Stack gap="sm">
        <TagsInput
          label="Instruments"
          description="Venue and symbol. Those in the list have candles here."
          placeholder={instruments.length === 0 ? "binance:BTCUSDT" : undefined}
          data={known}
          value={instruments}
          onChange={(next) => edit({ path: ["instruments"], value: next })}
          disabled={isLocked}
          error={instrumentsFault}
          clearable={false}
        />
        {instruments.length > 1 && (
          <SegmentedControl
            aria-label="What instruments share"
            data={[
              { value: "each", label: "each on its own" },
              { value: "together", label: "together, one account" },
            ]}
            value={scene.mode === "together" ? "together" : "each"}
            onChange={(mode) => edit({ path: ["mode"], value: mode === "each" ? undefined : mode })}
            disabled={isLocked}
          />
        )}
        <div className={styles.grid}>
          <Select
            label="Interval"
            allowDeselect={false}
            data={INTERVALS.map((one) => ({ value: one, label: stored.has(one) ? `${one} (stored)` : one }))}
            value={interval}
            onChange={(next) => next && edit({ path: ["interval"], value: next })}
            disabled={isLocked}
            error={intervalFault}
          />
          <InstantField label="From (UTC)" name="start" fault={startFault} />
          <InstantField label="Until, excluded (UTC)" name="end" fault={endFault} />
        </div>
        <Spans series={chosen} />
        <Gaps scene={scene} instruments={instruments} interval={interval} />
      </Stack>
    </Panel>
  );
}

/** A day, or an instant where the scene has one. */
function InstantField({
  label,
  name,
  fault,
}: {
  label: string;
  name: "start" | "end";
  fault: string | null;
}) {
  const { scene, isLocked, edit } = useScene();
  const text = typeof scene[name] === "string" ? scene[name] : "";
  const isDay = text === "" || /^\d{4}-\d{2}-\d{2}(T00:00(:00)?Z)?$/.test(text);
  const set = (value: string) =>
    edit({ path: [name], value: isDay && value ? `${value}T00:00:00Z` : value || undefined });
  return (
    <TextInput
      label={label}
      type={isDay ? "date" : "text"}
      value={isDay ? text.slice(0, 10) : text}
      onChange={(event) => set(event.currentTarget.value)}
      disabled={isLocked}
      error={fault}
    />
  );
}

/** Spans for which every chosen instrument has candles. */
function Spans({ series }: { series: readonly SeriesRow[] }) {
  const { isLocked, edit } = useScene();
  if (series.length === 0) return null;
  const first =
    series
      .map((one) => one.first_opened_at)
      .sort()
      .at(-1) ?? "";
  const last = series.map((one) => one.last_opened_at).sort()[0] ?? "";
  if (first >= last) return null;
  const whole = lastYear({ first_opened_at: first, last_opened_at: last });
  const all = {
    start: formatDay(Math.ceil(Date.parse(first) / 86_400_000) * 86_400_000),
    end: formatDay(last),
  };
  const years = yearsBetween(all.start, all.end).slice(-4);
  const offers = [
    { label: "all", ...all },
    { label: "last year", ...whole },
    ...years.map((year) => ({ label: String(year), start: `${year}-01-01`, end: `${year + 1}-01-01` })),
  ];
  return (
    <Group gap={6}>
      <Text size="sm" className="mela-muted">
        Candles from {formatDay(first)} to {formatDay(last)}:
      </Text>
      {offers.map(({ label, start, end }) => (
        <Button
          key={label}
          size="compact-xs"
          variant="default"
          disabled={isLocked}
          onClick={() =>
            edit(
              { path: ["start"], value: `${start}T00:00:00Z` },
              { path: ["end"], value: `${end}T00:00:00Z` },
            )
          }
        >
          {label}
        </Button>
      ))}
    </Group>
  );
}

/** What is missing of the span, instrument by instrument. */
function Gaps({
  scene,
  instruments,
  interval,
}: {
  scene: Fields;
  instruments: string[];
  interval: string | null;
}) {
  const start = instantOf(scene.start);
  const end = instantOf(scene.end);
  const isSpan = start !== null && end !== null && start < end && interval !== null;
  const found = useQueries({
    queries: (isSpan ? instruments.slice(0, MOST_COVERED) : []).map((instrument) => ({
      ...getCoverageOptions({
        query: {
          instrument,
          interval: interval as Interval,
          start: start ?? undefined,
          end: end ?? undefined,
        },
      }),
      retry: false,
      staleTime: 60_000,
    })),
  });
  if (!isSpan) return null;
  const lines = found.flatMap(({ data }) => {
    if (!data || data.expected <= data.stored) return [];
    const missing = data.expected - data.stored;
    const gaps = data.gaps.slice(0, 3).map((gap) => `${formatDay(gap.start)} – ${formatDay(gap.end)}`);
    const more = data.gaps.length > 3 ? `, and ${data.gaps.length - 3} more` : "";
    return [
      <Text key={data.instrument} size="sm" c="var(--mela-warn)">
        {data.instrument}: {formatNumber(missing, "count")} of {formatNumber(data.expected, "count")} candles
        are missing
        {gaps.length > 0 && ` (${gaps.join(", ")}${more})`}.
      </Text>,
    ];
  });
  return lines.length > 0 ? <div role="status">{lines}</div> : null;
}

function yearsBetween(start: string, end: string): number[] {
  const first = Number(start.slice(0, 4)) + (start.slice(5) > "01-01" ? 1 : 0);
  const last = Number(end.slice(0, 4)) - 1;
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** Return a scene's instant as the API takes it; null for what is none. */
function instantOf(value: unknown): string | null {
  if (typeof value !== "string") return null;
  const text = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || !/(Z|[+-]\d{2}:?\d{2})$/.test(text) ? null : new Date(ms).toISOString();
}
