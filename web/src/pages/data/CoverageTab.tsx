import { Group, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Eye, TriangleAlert } from "lucide-react";
import { useMemo, useState } from "react";
import type { SeriesRow } from "../../client";
import { listSeriesOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { Instant } from "../../components/Instant";
import styles from "./Data.module.css";
import { SeriesCoverage } from "./SeriesCoverage";

const route = getRouteApi("/inside/data");

/** The series that is shown, and what shows another. */
interface Choice {
  chosen: string | undefined;
  onChoose: (row: SeriesRow) => void;
}

/** The stored series, and the days of the one that is chosen. */
export function CoverageTab() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const found = useQuery(listSeriesOptions());
  const rows = useMemo(
    () => (found.data?.items ?? []).filter((row) => keyOf(row).toLowerCase().includes(text.toLowerCase())),
    [found.data, text],
  );
  const chosen =
    found.data?.items.find(
      (row) => row.instrument === search.instrument && row.interval === search.interval,
    ) ??
    found.data?.items.find((row) => row.instrument === search.instrument) ??
    found.data?.items[0];
  const choice = useMemo<Choice>(
    () => ({
      chosen: chosen && keyOf(chosen),
      onChoose: ({ instrument, interval }) =>
        navigate({ to: "/data", search: { tab: "coverage", instrument, interval }, resetScroll: false }),
    }),
    [chosen, navigate],
  );
  const columns = useMemo(() => columnsOf(choice), [choice]);

  if (!hasAnswer(found)) return <Unanswered to={found} />;
  const { data } = found;
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
          card={(row) => <SeriesCard row={row} choice={choice} />}
          cardHeight={66}
        />
      </Stack>
      {chosen && <SeriesCoverage key={keyOf(chosen)} series={chosen} />}
    </div>
  );
}

function keyOf(row: SeriesRow): string {
  return `${row.instrument} ${row.interval}`;
}

function columnsOf(choice: Choice): Column<SeriesRow>[] {
  return [
    {
      id: "series",
      header: "Series",
      width: 210,
      grow: true,
      cell: (row) => <SeriesButton row={row} choice={choice} />,
    },
    { id: "from", header: "First", width: 104, cell: (row) => <Instant at={row.first_opened_at} as="day" /> },
    { id: "to", header: "Last", width: 104, cell: (row) => <Instant at={row.last_opened_at} as="day" /> },
    { id: "state", header: "State", width: 110, cell: (row) => <State row={row} /> },
  ];
}

function SeriesButton({ row, choice }: { row: SeriesRow; choice: Choice }) {
  const isChosen = keyOf(row) === choice.chosen;
  return (
    <UnstyledButton
      className="mela-quiet-link"
      fz="inherit"
      fw={isChosen ? 700 : 400}
      aria-pressed={isChosen}
      data-row-link
      onClick={() => choice.onChoose(row)}
    >
      {keyOf(row)}
    </UnstyledButton>
  );
}

/** A series on a phone. */
function SeriesCard({ row, choice }: { row: SeriesRow; choice: Choice }) {
  return (
    <Stack gap={3}>
      <SeriesButton row={row} choice={choice} />
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="xs" className="mela-muted" component="div">
          <Instant at={row.first_opened_at} as="day" /> – <Instant at={row.last_opened_at} as="day" />
        </Text>
        <State row={row} />
      </Group>
    </Stack>
  );
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
