import { Button, Group, Modal, Stack, Table, Text, Title, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { changePublisher, type PublisherRow } from "../../client";
import { listPublishersOptions, listPublishersQueryKey } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { ProblemView } from "../../components/ProblemView";
import { Sideways } from "../../components/Sideways";
import { type Limits, QuotaCells, QuotaFields, QuotaHeads } from "./Quota";

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
                <QuotaHeads />
                <Table.Th scope="col">
                  <VisuallyHidden>Change</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {found.data.items.map((row) => (
                <Table.Tr key={row.user}>
                  <Table.Th scope="row">{row.user}</Table.Th>
                  <QuotaCells limits={row} />
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
  const { runs_per_day, scenes_at_once } = row;
  const [limits, setLimits] = useState<Limits>({ runs_per_day, scenes_at_once });
  const change = useMutation({
    mutationFn: () =>
      changePublisher({
        path: { user: row.user },
        body: { quota: limits },
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
        <QuotaFields limits={limits} onChange={setLimits} />
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
