import { Button, Group, Stack, Table, Text, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { rerunScene, type StaleRow, type StaleSceneRow } from "../../client";
import { listStaleOptions, listStaleQueryKey } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { Instant, Span } from "../../components/Instant";
import { Panel } from "../../components/Panel";
import { ProblemView } from "../../components/ProblemView";
import { may, useMe } from "../../session";
import { sceneName, shortInstruments } from "../scenes/sceneColumns";

/** Results that no longer hold because candles or code have changed. */
export function StaleTab() {
  const found = useQuery(listStaleOptions());
  if (!hasAnswer(found)) return <Unanswered to={found} />;
  const { data } = found;
  if (data.total === 0) {
    return (
      <EmptyState title="Every stored result still holds">
        A result becomes stale when a candle that it read, its strategy or the engine changes.
      </EmptyState>
    );
  }
  return (
    <Stack gap="md">
      {data.scenes.length > 0 && (
        <Panel
          title="Scenes that answer with stale results"
          aside={
            <Text size="sm" className="mela-muted">
              at most a minute old
            </Text>
          }
        >
          <Scenes scenes={data.scenes} />
        </Panel>
      )}
      <Panel
        title="Stale results"
        aside={
          <Text size="sm" className="mela-muted">
            {data.results.length < data.total
              ? `${data.results.length.toLocaleString("en-US")} of ${data.total.toLocaleString("en-US")}`
              : data.total.toLocaleString("en-US")}
          </Text>
        }
      >
        <DataTable
          label={`${data.results.length} stale results`}
          columns={COLUMNS}
          rows={data.results}
          keyOf={(row) => row.result_key}
          card={(row) => <Card row={row} />}
          cardHeight={92}
        />
      </Panel>
    </Stack>
  );
}

function Scenes({ scenes }: { scenes: readonly StaleSceneRow[] }) {
  const me = useMe();
  const client = useQueryClient();
  const navigate = useNavigate();
  const rerun = useMutation({
    mutationFn: (sceneId: string) => rerunScene({ path: { scene_id: sceneId } }),
    onSuccess: async ({ data }) => {
      await client.invalidateQueries({ queryKey: listStaleQueryKey() });
      await navigate({ to: "/scenes/$sceneId", params: { sceneId: data.scene_id } });
    },
  });
  return (
    <>
      {rerun.error && <ProblemView error={rerun.error} />}
      <Table verticalSpacing={4} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Scene</Table.Th>
            <Table.Th scope="col">
              <VisuallyHidden>Ask again</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {scenes.map((scene) => (
            <Table.Tr key={scene.scene_id}>
              <Table.Td>
                <Link to="/scenes/$sceneId" params={{ sceneId: scene.scene_id }} className="mela-quiet-link">
                  {sceneName(scene)}
                </Link>
                <Text size="xs" className="mela-muted">
                  {scene.results.toLocaleString("en-US")} {scene.results === 1 ? "result" : "results"} ·{" "}
                  {scene.strategies.join(", ")} on {shortInstruments(scene.instruments)}
                  {scene.owner && ` · ${scene.owner}`} · asked <Instant at={scene.received_at} as="ago" />
                </Text>
              </Table.Td>
              <Table.Td>
                {may(me, "trader") && (
                  <Group justify="flex-end">
                    <Button
                      size="xs"
                      variant="default"
                      disabled={!scene.can_rerun}
                      title={scene.can_rerun ? undefined : "It has not ended, or its strategy is gone"}
                      loading={rerun.isPending && rerun.variables === scene.scene_id}
                      onClick={() => rerun.mutate(scene.scene_id)}
                    >
                      Ask again
                    </Button>
                  </Group>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}

const COLUMNS: Column<StaleRow>[] = [
  {
    id: "run",
    header: "Run",
    width: 116,
    cell: (row) => (
      <Link
        to="/runs/$runKey"
        params={{ runKey: row.run_key }}
        className="mela-quiet-link mela-code"
        data-row-link
      >
        {row.run_key.slice(0, 10)}
      </Link>
    ),
  },
  { id: "strategy", header: "Strategy", width: 150, cell: (row) => row.strategy },
  { id: "series", header: "Series", width: 190, cell: (row) => `${row.instrument} ${row.interval}` },
  { id: "span", header: "Span", width: 200, cell: (row) => <Span start={row.start} end={row.end} /> },
  {
    id: "reasons",
    header: "Why",
    width: 300,
    grow: true,
    cell: (row) => <span title={row.reasons.join("; ")}>{row.reasons.join("; ")}</span>,
  },
  {
    id: "computed",
    header: "Computed",
    width: 100,
    cell: (row) => <Instant at={row.computed_at} as="ago" />,
  },
];

function Card({ row }: { row: StaleRow }) {
  return (
    <>
      <Text size="sm">
        <Link to="/runs/$runKey" params={{ runKey: row.run_key }} className="mela-quiet-link">
          {row.strategy}
        </Link>{" "}
        on {row.instrument} {row.interval}
      </Text>
      <Text size="xs" className="mela-muted">
        <Span start={row.start} end={row.end} />
      </Text>
      <Text size="xs" lineClamp={2}>
        {row.reasons.join("; ")}
      </Text>
    </>
  );
}
