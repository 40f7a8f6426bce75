import { Alert, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FlaskConical } from "lucide-react";
import { useCallback } from "react";
import {
  coverageHeight,
  coverageOption,
  type Kind,
  kindColours,
  kindOf,
  WORDS,
  yearsOf,
} from "../../charts/coverage";
import { EChart, type MakeOption } from "../../charts/EChart";
import { usePalette } from "../../charts/usePalette";
import type { CoverageOfSeries, Gap, Interval, SeriesRow } from "../../client";
import { getCoverageOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { formatNumber } from "../../components/format";
import { Span } from "../../components/Instant";
import { Panel } from "../../components/Panel";
import { may, useMe } from "../../session";
import { AskBackfill } from "./AskBackfill";
import styles from "./Data.module.css";

const GAPS_SHOWN = 12;

/** The days of a series as a calendar, and its gaps. */
export function SeriesCoverage({ series }: { series: SeriesRow }) {
  const { instrument, interval } = series;
  const asked = { instrument, interval: interval as Interval };
  const found = useQuery(getCoverageOptions({ query: asked }));
  const data = hasAnswer(found) ? found.data : undefined;
  return (
    <Panel title={`${instrument} ${interval}`} aside={<UseIt instrument={instrument} />}>
      {!data && <Unanswered to={found} />}
      {data && <Days coverage={data} />}
    </Panel>
  );
}

function UseIt({ instrument }: { instrument: string }) {
  const me = useMe();
  if (!may(me, "trader")) return null;
  return (
    <Button
      variant="default"
      size="xs"
      leftSection={<FlaskConical size={14} aria-hidden />}
      renderRoot={(props) => <Link {...props} to="/scenes/new" search={{ instrument }} />}
    >
      New scene with it
    </Button>
  );
}

function Days({ coverage }: { coverage: CoverageOfSeries }) {
  const { days } = coverage;
  const option = useCallback<MakeOption>(
    (palette, isSmall) => coverageOption(days, palette, isSmall),
    [days],
  );
  const missing = coverage.gaps.reduce((sum, gap) => sum + gap.candles, 0);
  const words =
    missing === 0
      ? "every expected candle is stored"
      : missing === 1
        ? "one expected candle is missing"
        : `${missing.toLocaleString("en-US")} expected candles are missing`;
  return (
    <Stack gap="sm">
      <Text size="sm">
        <Span start={coverage.start} end={coverage.end} />: {formatNumber(coverage.stored, "count")} candles,{" "}
        {words}. Calendar {coverage.calendar}.
      </Text>
      <Legend kinds={[...new Set(days.map(kindOf))]} />
      <EChart
        label={`Calendar of ${coverage.instrument} ${coverage.interval}: ${words}`}
        height={coverageHeight(yearsOf(days).length)}
        option={option}
      />
      {coverage.gaps.length > 0 && <Gaps coverage={coverage} />}
    </Stack>
  );
}

function Legend({ kinds }: { kinds: readonly Kind[] }) {
  const colours = kindColours(usePalette());
  return (
    <ul className={styles.legend} aria-label="Legend">
      {kinds.map((kind) => (
        <li key={kind}>
          <span className={styles.square} style={{ background: colours[kind] }} aria-hidden />
          {WORDS[kind]}
        </li>
      ))}
    </ul>
  );
}

function Gaps({ coverage }: { coverage: CoverageOfSeries }) {
  const me = useMe();
  const { gaps } = coverage;
  const series = { instrument: coverage.instrument, interval: coverage.interval as Interval };
  return (
    <>
      <Table verticalSpacing={3} fz="sm">
        <Table.Caption ta="left">
          {gaps.length > GAPS_SHOWN ? `The ${GAPS_SHOWN} longest of ${gaps.length} gaps.` : "All gaps."}
        </Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Gap</Table.Th>
            <Table.Th scope="col" className="mela-number">
              Candles
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {gaps.slice(0, GAPS_SHOWN).map((gap) => (
            <Table.Tr key={gap.start}>
              <Table.Td>
                <Span start={gap.start} end={gap.end} />
              </Table.Td>
              <Table.Td className="mela-number">{gap.candles.toLocaleString("en-US")}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {may(me, "trader") ? (
        <Group>
          <AskBackfill series={series} span={spanOver(gaps)} label="Load what is missing…" />
        </Group>
      ) : (
        <Alert variant="light" color="gray">
          A trader can ask for the missing candles.
        </Alert>
      )}
    </>
  );
}

/** Return the span from the first gap's start to the last one's end. */
export function spanOver(gaps: readonly Gap[]): { start: string; end: string } {
  const starts = gaps.map((gap) => gap.start).sort();
  const ends = gaps.map((gap) => gap.end).sort();
  return { start: starts[0] ?? "", end: ends.at(-1) ?? "" };
}
