import { Badge, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { RunDetail, SeriesRead } from "../../client";
import { getLineageOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { Instant, Span } from "../../components/Instant";
import { Sideways } from "../../components/Sideways";
import styles from "./Run.module.css";

/** Where a result comes from: the code that computed it, and the loads that brought its candles. */
export function Lineage({ detail }: { detail: RunDetail }) {
  const { lineage, result, run_key: runKey } = detail;
  return (
    <>
      <dl className={styles.facts}>
        <dt>run key</dt>
        <dd className="mela-code">{runKey}</dd>
        <dt>result key</dt>
        <dd className="mela-code">{lineage.result_key}</dd>
        <dt>source of the strategy</dt>
        <dd className="mela-code">{lineage.strategy_digest}</dd>
        <dt>engine, metrics</dt>
        <dd>
          version {lineage.engine_version}, version {lineage.metrics_version}
        </dd>
        <dt>computed</dt>
        <dd>
          <Instant at={result.computed_at} /> UTC
        </dd>
        <dt>stored row</dt>
        <dd>
          {lineage.is_sealed
            ? "as the engine wrote it (its seal fits)"
            : "without a seal that fits: somebody may have changed it"}
        </dd>
      </dl>
      <AllSeries runKey={runKey} />
    </>
  );
}

function AllSeries({ runKey }: { runKey: string }) {
  const found = useQuery({
    ...getLineageOptions({ path: { run_key: runKey } }),
    staleTime: 300_000,
  });
  if (!hasAnswer(found)) return <Unanswered to={found} what="This run" />;
  const { data } = found;
  return data.series.map((series) => (
    <Series key={`${series.instrument} ${series.interval}`} series={series} />
  ));
}

function Series({ series }: { series: SeriesRead }) {
  return (
    <section>
      <Title order={3} mt="md" mb={4}>
        {series.instrument} {series.interval}, revision {series.revision}
      </Title>
      <Text size="sm" className="mela-muted" mb={6}>
        Read from <Span start={series.start} end={series.end} />, warm-up included.
      </Text>
      <Sideways label={`Loads of ${series.instrument} ${series.interval}`}>
        <Table verticalSpacing={3} fz="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Load</Table.Th>
              <Table.Th scope="col">Source</Table.Th>
              <Table.Th scope="col" className="mela-number">
                Candles
              </Table.Th>
              <Table.Th scope="col">From</Table.Th>
              <Table.Th scope="col">To</Table.Th>
              <Table.Th scope="col">Loaded</Table.Th>
              <Table.Th scope="col">Code</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {series.loads.map((load) => (
              <Table.Tr key={load.load_id}>
                <Table.Td>{load.load_id}</Table.Td>
                <Table.Td>{load.origin ? `${load.source} (${load.origin})` : load.source}</Table.Td>
                <Table.Td className="mela-number">{load.candles.toLocaleString("en-US")}</Table.Td>
                <Table.Td>
                  <Instant at={load.first_opened_at} />
                </Table.Td>
                <Table.Td>
                  <Instant at={load.last_opened_at} />
                </Table.Td>
                <Table.Td>
                  <Instant at={load.started_at} />
                </Table.Td>
                <Table.Td className="mela-code">{load.code_version.slice(0, 12)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Sideways>
      {series.revisions.length > 0 && (
        <dl className={styles.facts} aria-label="Revisions of these candles">
          {series.revisions.map((revision) => (
            <Revision key={revision.revision} revision={revision} />
          ))}
        </dl>
      )}
    </section>
  );
}

function Revision({ revision }: { revision: SeriesRead["revisions"][number] }) {
  return (
    <>
      <dt>
        revision {revision.revision}{" "}
        {revision.is_later && (
          <Badge size="xs" color="orange" variant="light">
            after this result
          </Badge>
        )}
      </dt>
      <dd>
        {revision.reason}: <Instant at={revision.first_opened_at} /> to{" "}
        <Instant at={revision.last_opened_at} />, made <Instant at={revision.created_at} />
      </dd>
    </>
  );
}
