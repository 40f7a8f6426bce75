import { Button, Group, Modal, Stack, Table, Text, Title, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { changePublisher, type PublisherRow } from "../../client";
import { listPublishersOptions, listPublishersQueryKey } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { ProblemView } from "../../components/ProblemView";
import { Sideways } from "../../components/Sideways";
import { Limit, limitText } from "./Limit";

/** Who publishes straight through Kafka, without an account: their quotas. */
export function PublishersPanel() {
  const [chosen, setChosen] = useState<PublisherRow | null>(null);
  const found = useQuery(listPublishersOptions());
  if (!hasAnswer(found)) return <Unanswered to={found} />;
  return (
    <Stack gap="xs">
      <Title order={2}>Publishers through Kafka</Title>
      <Text size="sm" className="mela-muted">
        Scenes that come without an account belong to these names. Limit them too, or a user can go around a
        quota by Kafka.
      </Text>
      <div className="mela-panel">
        <Sideways label="Table: Publishers through Kafka">
          <Table verticalSpacing={5} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Publisher</Table.Th>
                <Table.Th scope="col" className="mela-number">
                  Runs a day
                </Table.Th>
                <Table.Th scope="col" className="mela-number">
                  Scenes at once
                </Table.Th>
                <Table.Th scope="col">
                  <VisuallyHidden>Change</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {found.data.items.map((row) => (
                <Table.Tr key={row.user}>
                  <Table.Th scope="row">{row.user}</Table.Th>
                  <Table.Td className="mela-number">{limitText(row.runs_per_day)}</Table.Td>
                  <Table.Td className="mela-number">{limitText(row.scenes_at_once)}</Table.Td>
                  <Table.Td ta="right">
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={`Change the quota of ${row.user}`}
                      onClick={() => setChosen(row)}
                    >
                      Change
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Sideways>
      </div>
      <Modal
        opened={chosen !== null}
        onClose={() => setChosen(null)}
        title={chosen ? `Quota of ${chosen.user}` : ""}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {chosen && <Form row={chosen} onDone={() => setChosen(null)} />}
      </Modal>
    </Stack>
  );
}

function Form({ row, onDone }: { row: PublisherRow; onDone: () => void }) {
  const client = useQueryClient();
  const [runs, setRuns] = useState<number | null>(row.runs_per_day);
  const [scenes, setScenes] = useState<number | null>(row.scenes_at_once);
  const change = useMutation({
    mutationFn: () =>
      changePublisher({
        path: { user: row.user },
        body: { quota: { runs_per_day: runs, scenes_at_once: scenes } },
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: listPublishersQueryKey() });
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Limit label="Runs a day" value={runs} onChange={setRuns} />
        <Limit label="Scenes at once" value={scenes} onChange={setScenes} />
        {change.error && <ProblemView error={change.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button type="submit" loading={change.isPending}>
            Change
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
