import {
  Alert,
  Button,
  Group,
  Modal,
  NumberInput,
  Select,
  Stack,
  Table,
  Text,
  TextInput,
  VisuallyHidden,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { endInvitation, type InvitationRow, makeInvitation, type Role } from "../../client";
import { listInvitationsOptions, listInvitationsQueryKey } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { Instant } from "../../components/Instant";
import { ProblemView } from "../../components/ProblemView";
import { RemoveButton } from "../../components/RemoveButton";
import { Sideways } from "../../components/Sideways";
import { Once } from "../account/TokensPanel";

/** Links with which people make their accounts. */
export function InvitationsTab() {
  const client = useQueryClient();
  const [isOpen, modal] = useDisclosure(false);
  const found = useQuery(listInvitationsOptions());
  const data = hasAnswer(found) ? found.data : undefined;
  const end = useMutation({
    mutationFn: (id: number) => endInvitation({ path: { invitation_id: id } }),
    onSettled: () => client.invalidateQueries({ queryKey: listInvitationsQueryKey() }),
  });
  return (
    <Stack gap="md">
      <Group>
        <Button onClick={modal.open}>Invite somebody</Button>
      </Group>
      {end.error && <ProblemView error={end.error} />}
      {!data && <Unanswered to={found} />}
      {data?.items.length === 0 && (
        <EmptyState title="Nobody was invited yet">
          An invitation is a link with which one person makes one account.
        </EmptyState>
      )}
      {data && data.items.length > 0 && (
        <div className="mela-panel">
          <Sideways label="Table: Invitations">
            <Table verticalSpacing={5} fz="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">State</Table.Th>
                  <Table.Th scope="col">Role</Table.Th>
                  <Table.Th scope="col">Note</Table.Th>
                  <Table.Th scope="col">Made by</Table.Th>
                  <Table.Th scope="col">Made</Table.Th>
                  <Table.Th scope="col">Ends</Table.Th>
                  <Table.Th scope="col">
                    <VisuallyHidden>Take back</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.items.map((row) => (
                  <Table.Tr key={row.id}>
                    <Table.Td>{stateOf(row, Date.now())}</Table.Td>
                    <Table.Td>{row.role}</Table.Td>
                    <Table.Td>{row.note}</Table.Td>
                    <Table.Td>{row.made_by}</Table.Td>
                    <Table.Td>
                      <Instant at={row.created_at} as="day" />
                    </Table.Td>
                    <Table.Td>
                      <Instant at={row.ends_at} as="day" />
                    </Table.Td>
                    <Table.Td ta="right">
                      {!row.used_at && (
                        <RemoveButton
                          label={`Take invitation ${row.id} back`}
                          loading={end.isPending && end.variables === row.id}
                          onClick={() => end.mutate(row.id)}
                        />
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Sideways>
        </div>
      )}
      <Modal
        opened={isOpen}
        onClose={modal.close}
        title="Invite somebody"
        closeButtonProps={{ "aria-label": "Close" }}
        closeOnClickOutside={false}
      >
        <Form onDone={modal.close} />
      </Modal>
    </Stack>
  );
}

/** Say what became of an invitation. now: milliseconds since 1970. */
export function stateOf(row: Pick<InvitationRow, "used_at" | "used_by" | "ends_at">, now: number): string {
  if (row.used_at) return row.used_by ? `used by ${row.used_by}` : "used";
  return Date.parse(row.ends_at) <= now ? "ended" : "open";
}

function Form({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const [role, setRole] = useState<Role>("trader");
  const [note, setNote] = useState("");
  const [days, setDays] = useState(7);
  const make = useMutation({
    mutationFn: async () => (await makeInvitation({ body: { role, note: note || null, days } })).data,
    onSuccess: () => client.invalidateQueries({ queryKey: listInvitationsQueryKey() }),
  });
  if (make.data) {
    return (
      <Stack gap="sm">
        <Alert color="yellow" variant="light" title="Send this link now: it is never shown again">
          It makes one account, until <Instant at={make.data.ends_at} /> UTC.
        </Alert>
        <Once label="The link" text={make.data.link} />
        <Group justify="flex-end">
          <Button onClick={onDone}>Done</Button>
        </Group>
      </Stack>
    );
  }
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Select
          label="Role"
          data={["viewer", "trader", "admin"]}
          value={role}
          allowDeselect={false}
          onChange={(value) => value && setRole(value as Role)}
        />
        <TextInput
          label="Note"
          description="For whom it is; administrators see it"
          maxLength={200}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
        <NumberInput
          label="Days until it ends"
          min={1}
          max={60}
          allowDecimal={false}
          value={days}
          onChange={(value) => setDays(Number(value) || 1)}
        />
        {make.error && <ProblemView error={make.error} />}
        <Group justify="flex-end">
          <Text size="xs" className="mela-muted" style={{ flex: 1 }}>
            The link holds for one person.
          </Text>
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button type="submit" loading={make.isPending}>
            Make the link
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
