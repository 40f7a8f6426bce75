import {
  Badge,
  Button,
  Group,
  Modal,
  Select,
  Stack,
  Switch,
  Table,
  Text,
  VisuallyHidden,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { type AccountRow, changeUser, type Role } from "../../client";
import { listUsersOptions, listUsersQueryKey } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { Instant } from "../../components/Instant";
import { ProblemView } from "../../components/ProblemView";
import { Sideways } from "../../components/Sideways";
import { useMe } from "../../session";
import { type Limits, QuotaCells, QuotaFields, QuotaHeads } from "./Quota";

/** All accounts: their roles, quotas, and whether they may sign in. */
export function UsersTab() {
  const me = useMe();
  const [chosen, setChosen] = useState<AccountRow | null>(null);
  const found = useQuery(listUsersOptions());
  if (!hasAnswer(found)) return <Unanswered to={found} />;
  const { data } = found;
  return (
    <>
      <div className="mela-panel">
        <Sideways label="Table: Users">
          <Table verticalSpacing={5} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">User</Table.Th>
                <Table.Th scope="col">Role</Table.Th>
                <Table.Th scope="col">State</Table.Th>
                <QuotaHeads />
                <Table.Th scope="col">Signed in</Table.Th>
                <Table.Th scope="col">Since</Table.Th>
                <Table.Th scope="col">
                  <VisuallyHidden>Change</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.items.map((row) => (
                <Table.Tr key={row.user}>
                  <Table.Th scope="row">
                    {row.user} {row.user === me.user && <span className="mela-muted">(you)</span>}
                  </Table.Th>
                  <Table.Td>{row.role}</Table.Td>
                  <Table.Td>
                    <State row={row} />
                  </Table.Td>
                  <QuotaCells limits={row} />
                  <Table.Td>
                    {row.signed_in_at ? <Instant at={row.signed_in_at} as="ago" /> : "never"}
                  </Table.Td>
                  <Table.Td>
                    <Instant at={row.created_at} as="day" />
                  </Table.Td>
                  <Table.Td ta="right">
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={`Change ${row.user}`}
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
        title={chosen ? `Account of ${chosen.user}` : ""}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {chosen && <Form row={chosen} isMe={chosen.user === me.user} onDone={() => setChosen(null)} />}
      </Modal>
    </>
  );
}

function State({ row }: { row: AccountRow }) {
  const states = [
    row.is_disabled && "disabled",
    row.must_change_password && "must change the password",
    !row.has_password && "signs in elsewhere",
  ].filter((one): one is string => Boolean(one));
  if (states.length === 0) return <span>active</span>;
  return (
    <Group gap={6}>
      {states.map((state) => (
        <Badge key={state} variant="default" size="sm" tt="none">
          {state}
        </Badge>
      ))}
    </Group>
  );
}

const ROLES: readonly Role[] = ["viewer", "trader", "admin"];

function Form({ row, isMe, onDone }: { row: AccountRow; isMe: boolean; onDone: () => void }) {
  const client = useQueryClient();
  const [role, setRole] = useState<Role>(row.role);
  const [isDisabled, setDisabled] = useState(row.is_disabled);
  const { runs_per_day, scenes_at_once } = row;
  const [limits, setLimits] = useState<Limits>({ runs_per_day, scenes_at_once });
  const change = useMutation({
    mutationFn: () =>
      changeUser({
        path: { user: row.user },
        body: {
          role: role === row.role ? undefined : role,
          is_disabled: isDisabled === row.is_disabled ? undefined : isDisabled,
          quota:
            limits.runs_per_day === runs_per_day && limits.scenes_at_once === scenes_at_once
              ? undefined
              : limits,
        },
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: listUsersQueryKey() });
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
        <Select
          label="Role"
          data={[...ROLES]}
          value={role}
          allowDeselect={false}
          onChange={(value) => value && setRole(value as Role)}
        />
        <Switch
          label="May sign in"
          checked={!isDisabled}
          onChange={(event) => setDisabled(!event.currentTarget.checked)}
        />
        <QuotaFields limits={limits} onChange={setLimits} />
        <Text size="xs" className="mela-muted">
          A change of role or sign-in ends the sessions of {isMe ? "yours" : row.user}. Quotas hold where
          scenes are planned, for scenes from Kafka, too.
        </Text>
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
