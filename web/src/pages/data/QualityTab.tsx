import { Group, Select, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import { useState } from "react";
import type { FindingRow, Interval } from "../../client";
import { getQualityOptions, listSeriesOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { Instant } from "../../components/Instant";

const route = getRouteApi("/inside/data");
const STATES = ["open", "confirmed", "repaired"] as const;
type State = (typeof STATES)[number];

/** What checks found wrong with stored candles. */
export function QualityTab() {
  const { instrument, interval } = route.useSearch();
  const navigate = useNavigate();
  const [state, setState] = useState<State>("open");
  const series = useQuery(listSeriesOptions());
  const query = { instrument, interval: interval as Interval | undefined, state: [state], limit: 500 };
  const found = useQuery(getQualityOptions({ query }));
  const data = hasAnswer(found) ? found.data : undefined;
  const instruments = [...new Set(series.data?.items.map((row) => row.instrument) ?? [])];
  return (
    <Stack gap="sm">
      <Group gap="sm" align="flex-end">
        <Select
          label="Instrument"
          placeholder="all"
          data={instruments}
          value={instrument ?? null}
          clearable
          searchable
          clearButtonProps={{ "aria-label": "All instruments" }}
          onChange={(value) =>
            void navigate({ to: "/data", search: { tab: "quality", instrument: value ?? undefined } })
          }
        />
        <Select
          label="State"
          data={[...STATES]}
          value={state}
          allowDeselect={false}
          onChange={(value) => value && setState(value as State)}
        />
        {data && <LastCheck checks={data.checks} />}
      </Group>
      {!data && <Unanswered to={found} />}
      {data?.findings.length === 0 && (
        <EmptyState
          title={state === "open" ? "Nothing is wrong that a check has seen" : `Nothing is ${state}`}
        >
          The command <span className="mela-code">mela quality</span> and Airflow check the candles.
        </EmptyState>
      )}
      {data && data.findings.length > 0 && (
        <DataTable
          label={`${data.findings.length} findings`}
          columns={COLUMNS}
          rows={data.findings}
          keyOf={(row) => String(row.id)}
          card={(row) => <Card row={row} />}
        />
      )}
      {data?.is_cut && (
        <Text size="sm" className="mela-muted">
          There are more findings than are shown here.
        </Text>
      )}
    </Stack>
  );
}

function LastCheck({ checks }: { checks: readonly { checked_at: string }[] }) {
  const newest = checks
    .map((one) => one.checked_at)
    .sort()
    .at(-1);
  return (
    <Text size="sm" className="mela-muted" pb={6}>
      {newest ? (
        <>
          {checks.length} series checked, the last one <Instant at={newest} as="ago" />
        </>
      ) : (
        "No series was checked yet"
      )}
    </Text>
  );
}

const SEVERITIES = {
  error: { Icon: CircleAlert, colour: "var(--mela-loss)" },
  warning: { Icon: TriangleAlert, colour: "var(--mela-warn)" },
  info: { Icon: Info, colour: "var(--mela-muted)" },
} as const;

function Severity({ severity }: { severity: FindingRow["severity"] }) {
  const { Icon, colour } = SEVERITIES[severity];
  return (
    <span style={{ color: colour }}>
      <Icon size={13} aria-hidden style={{ verticalAlign: -2 }} /> {severity}
    </span>
  );
}

const COLUMNS: Column<FindingRow>[] = [
  { id: "severity", header: "Severity", width: 92, cell: (row) => <Severity severity={row.severity} /> },
  { id: "kind", header: "Kind", width: 112, cell: (row) => row.kind.replaceAll("_", " ") },
  { id: "series", header: "Series", width: 200, cell: (row) => `${row.instrument} ${row.interval}` },
  { id: "from", header: "First", width: 152, cell: (row) => <Instant at={row.first_opened_at} /> },
  { id: "to", header: "Last", width: 152, cell: (row) => <Instant at={row.last_opened_at} /> },
  {
    id: "candles",
    header: "Candles",
    width: 104,
    align: "right",
    cell: (row) => row.candles.toLocaleString("en-US"),
  },
  {
    id: "message",
    header: "What",
    width: 320,
    grow: true,
    cell: (row) => <span title={row.message}>{row.message}</span>,
  },
  { id: "found", header: "Found", width: 100, cell: (row) => <Instant at={row.found_at} as="ago" /> },
];

function Card({ row }: { row: FindingRow }) {
  return (
    <>
      <Text size="sm">
        <Severity severity={row.severity} /> · {row.kind.replaceAll("_", " ")} · {row.instrument}{" "}
        {row.interval}
      </Text>
      <Text size="xs" className="mela-muted">
        <Instant at={row.first_opened_at} /> to <Instant at={row.last_opened_at} />, {row.candles} candles
      </Text>
      <Text size="xs" lineClamp={2}>
        {row.message}
      </Text>
    </>
  );
}
