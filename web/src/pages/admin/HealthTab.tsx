import { Alert, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, TriangleAlert } from "lucide-react";
import type { JobNow } from "../../client";
import { getJobOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { asSentence, formatNumber } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Panel } from "../../components/Panel";
import { Sideways } from "../../components/Sideways";
import { StateBadge } from "../../components/StateBadge";

const EVERY_MS = 5_000;

/** Whether the streaming job works, and how much waits for it. */
export function HealthTab() {
  const found = useQuery({ ...getJobOptions(), refetchInterval: EVERY_MS });
  if (!hasAnswer(found)) return <Unanswered to={found} />;
  const { data } = found;
  return <Shown job={data} />;
}

function Shown({ job }: { job: JobNow }) {
  return (
    <Stack gap="md">
      <Alert
        color={job.is_ready ? "teal" : "orange"}
        variant="light"
        icon={job.is_ready ? <CircleCheck size={18} aria-hidden /> : <TriangleAlert size={18} aria-hidden />}
        title={job.is_ready ? "The job works" : "The job does not work as it should"}
      >
        <Text size="sm">{asSentence(job.message)}</Text>
        {job.at && (
          <Text size="xs" className="mela-muted">
            It said so <Instant at={job.at} as="ago" />.
          </Text>
        )}
      </Alert>
      <Panel title="Queries">
        <Sideways label="Table: Queries">
          <Table verticalSpacing={4} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Query</Table.Th>
                <Table.Th scope="col">Reads</Table.Th>
                <Table.Th scope="col">State</Table.Th>
                <Table.Th scope="col" className="mela-number">
                  Waiting
                </Table.Th>
                <Table.Th scope="col" className="mela-number">
                  Read
                </Table.Th>
                <Table.Th scope="col" className="mela-number">
                  Batches
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {job.queries.map((query) => (
                <Table.Tr key={query.name}>
                  <Table.Th scope="row">{query.name}</Table.Th>
                  <Table.Td className="mela-code">{query.topic}</Table.Td>
                  <Table.Td className={query.is_well ? undefined : "mela-loss"}>{query.message}</Table.Td>
                  <Table.Td className="mela-number">{formatNumber(query.waiting, "count")}</Table.Td>
                  <Table.Td className="mela-number">{formatNumber(query.read, "count")}</Table.Td>
                  <Table.Td className="mela-number">{formatNumber(query.batches, "count")}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Sideways>
      </Panel>
      <Panel title="Scenes by state">
        <Table verticalSpacing={4} fz="sm" maw={320}>
          <Table.Tbody>
            {Object.entries(job.scenes_by_state).map(([state, count]) => (
              <Table.Tr key={state}>
                <Table.Td>
                  <StateBadge state={state} />
                </Table.Td>
                <Table.Td className="mela-number">{formatNumber(count, "count")}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Panel>
    </Stack>
  );
}
