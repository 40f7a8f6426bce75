import { Group, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Eye, TriangleAlert } from "lucide-react";
import { useMemo, useState } from "react";
import type { SeriesRow } from "../../client";
import { listSeriesOptions } from "../../client/@tanstack/react-query.gen";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { Instant } from "../../components/Instant";
import { PageLoading } from "../../components/PageLoading";
import { ProblemView } from "../../components/ProblemView";
import styles from "./Data.module.css";
import { SeriesCoverage } from "./SeriesCoverage";

const route = getRouteApi("/inside/data");

/** The stored series, and the days of the one that is chosen. */
export function CoverageTab() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const { data, error, refetch } = useQuery(listSeriesOptions());
  const rows = useMemo(
    () => (data?.items ?? []).filter((row) => keyOf(row).toLowerCase().includes(text.toLowerCase())),
    [data, text],
  );
  const chosen =
    data?.items.find((row) => row.instrument === search.instrument && row.interval === search.interval) ??
    data?.items.find((row) => row.instrument === search.instrument) ??
    data?.items[0];
  const columns = useMemo(
    () =>
      columnsOf(chosen && keyOf(chosen), ({ instrument, interval }) =>
        navigate({ to: "/data", search: { tab: "coverage", instrument, interval }, resetScroll: false }),
      ),
    [chosen, navigate],
  );

  if (error) return <ProblemView error={error} onRetry={() => void refetch()} />;
  if (!data) return <PageLoading />;
  if (data.items.length === 0) {
    return (
      <EmptyState title="No candles are stored yet">
        Ask for some in the tab Backfills, or load a file with the command{" "}
        <span className="mela-code">mela ingest</span>.
      </EmptyState>
    );
  }
  return (
    <div className={styles.split}>
      <Stack gap="xs">
        <TextInput
          data-search
          type="search"
          placeholder="Find a series"
          aria-label="Find a series"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <DataTable
          label={`${rows.length} stored series`}
          columns={columns}
          rows={rows}
          keyOf={keyOf}
          maxHeight="60vh"
        />
      </Stack>
      {chosen && <SeriesCoverage key={keyOf(chosen)} series={chosen} />}
    </div>
  );
}

function keyOf(row: SeriesRow): string {
  return `${row.instrument} ${row.interval}`;
}

function columnsOf(chosen: string | undefined, onChoose: (row: SeriesRow) => void): Column<SeriesRow>[] {
  return [
    {
      id: "series",
      header: "Series",
      width: 210,
      grow: true,
      cell: (row) => (
        <UnstyledButton
          className="mela-quiet-link"
          fz="inherit"
          fw={keyOf(row) === chosen ? 700 : 400}
          aria-pressed={keyOf(row) === chosen}
          data-row-link
          onClick={() => onChoose(row)}
        >
          {keyOf(row)}
        </UnstyledButton>
      ),
    },
    { id: "from", header: "First", width: 104, cell: (row) => <Instant at={row.first_opened_at} as="day" /> },
    { id: "to", header: "Last", width: 104, cell: (row) => <Instant at={row.last_opened_at} as="day" /> },
    { id: "state", header: "State", width: 110, cell: (row) => <State row={row} /> },
  ];
}

function State({ row }: { row: SeriesRow }) {
  return (
    <Group gap={8} wrap="nowrap">
      {row.findings > 0 && (
        <Text
          size="xs"
          c="var(--mela-warn)"
          title={`${row.findings} open findings, ${row.gaps} of them gaps`}
        >
          <TriangleAlert size={13} aria-hidden style={{ verticalAlign: -2 }} /> {row.findings} open
        </Text>
      )}
      {row.is_watched && <Eye size={14} aria-label="on the watch list" />}
    </Group>
  );
}
