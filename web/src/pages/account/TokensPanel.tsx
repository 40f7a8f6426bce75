import {
  Alert,
  Button,
  Checkbox,
  Code,
  CopyButton,
  Group,
  Modal,
  NumberInput,
  Stack,
  Table,
  Text,
  TextInput,
  VisuallyHidden,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { endToken, listTokens, type Me, makeToken, type NewToken, type Scope } from "../../client";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { Instant } from "../../components/Instant";
import { Panel } from "../../components/Panel";
import { ProblemView } from "../../components/ProblemView";
import { RemoveButton } from "../../components/RemoveButton";
import { Sideways } from "../../components/Sideways";

const KEY = ["tokens"];

/** Personal tokens for scripts, notebooks and assistants. */
export function TokensPanel({ me }: { me: Me }) {
  const client = useQueryClient();
  const [isOpen, modal] = useDisclosure(false);
  const found = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => (await listTokens({ signal })).data,
  });
  const data = hasAnswer(found) ? found.data : undefined;
  const end = useMutation({
    mutationFn: (id: number) => endToken({ path: { token_id: id } }),
    onSettled: () => client.invalidateQueries({ queryKey: KEY }),
  });
  return (
    <Panel
      title="Personal tokens"
      aside={
        <Button size="xs" variant="default" onClick={modal.open}>
          New token
        </Button>
      }
    >
      <Text size="sm" className="mela-muted" mb="sm">
        A script, a notebook or an assistant sends a token in place of a password. Whoever has it may do what
        its scopes allow, in your name.
      </Text>
      {end.error && <ProblemView error={end.error} />}
      {!data && <Unanswered to={found} />}
      {data?.items.length === 0 && <EmptyState title="You have no tokens" />}
      {data && data.items.length > 0 && (
        <Sideways label="Table: Tokens">
          <Table verticalSpacing={4} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Name</Table.Th>
                <Table.Th scope="col">Scopes</Table.Th>
                <Table.Th scope="col">Made</Table.Th>
                <Table.Th scope="col">Last used</Table.Th>
                <Table.Th scope="col">Ends</Table.Th>
                <Table.Th scope="col">
                  <VisuallyHidden>Take back</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.items.map((token) => (
                <Table.Tr key={token.id}>
                  <Table.Th scope="row">{token.name}</Table.Th>
                  <Table.Td>{token.scopes.join(", ")}</Table.Td>
                  <Table.Td>
                    <Instant at={token.created_at} as="day" />
                  </Table.Td>
                  <Table.Td>{token.used_at ? <Instant at={token.used_at} as="ago" /> : "never"}</Table.Td>
                  <Table.Td>
                    <Instant at={token.ends_at} as="day" />
                  </Table.Td>
                  <Table.Td ta="right">
                    <RemoveButton
                      label={`Take the token ${token.name} back`}
                      loading={end.isPending && end.variables === token.id}
                      onClick={() => end.mutate(token.id)}
                    />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Sideways>
      )}
      <Modal
        opened={isOpen}
        onClose={modal.close}
        title="New token"
        closeButtonProps={{ "aria-label": "Close" }}
        closeOnClickOutside={false}
      >
        <NewTokenForm me={me} onDone={modal.close} />
      </Modal>
    </Panel>
  );
}

const SCOPES: readonly { scope: Scope; means: string }[] = [
  { scope: "read", means: "scenes, runs, results, data" },
  { scope: "write", means: "publish and cancel scenes, load candles, schedules" },
  { scope: "admin", means: "accounts, invitations, the audit log" },
];

function NewTokenForm({ me, onDone }: { me: Me; onDone: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(["read"]);
  const [days, setDays] = useState(90);
  const make = useMutation({
    mutationFn: async () => (await makeToken({ body: { name, scopes: scopes as Scope[], days } })).data,
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
  if (make.data) return <Secret made={make.data} onDone={onDone} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="What it is for"
          placeholder="notebook"
          required
          maxLength={100}
          data-autofocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Checkbox.Group label="Scopes" value={scopes} onChange={setScopes}>
          <Stack gap={6} mt={4}>
            {SCOPES.filter(({ scope }) => me.scopes.includes(scope)).map(({ scope, means }) => (
              <Checkbox key={scope} value={scope} label={`${scope}: ${means}`} />
            ))}
          </Stack>
        </Checkbox.Group>
        <NumberInput
          label="Days until it ends"
          min={1}
          max={366}
          allowDecimal={false}
          value={days}
          onChange={(value) => setDays(Number(value) || 1)}
        />
        {make.error && <ProblemView error={make.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button type="submit" loading={make.isPending} disabled={scopes.length === 0}>
            Make
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Secret({ made, onDone }: { made: NewToken; onDone: () => void }) {
  return (
    <Stack gap="sm">
      <Alert color="yellow" variant="light" title="Keep it now: it is never shown again">
        It ends on <Instant at={made.ends_at} as="day" />.
      </Alert>
      <Once label="The token" text={made.secret} />
      <Group justify="flex-end">
        <Button onClick={onDone}>I have kept it</Button>
      </Group>
    </Stack>
  );
}

/** A secret that is shown once, with a button that copies it. */
export function Once({ label, text }: { label: string; text: string }) {
  return (
    <Group gap="xs" wrap="nowrap" align="stretch">
      <Code block aria-label={label} style={{ flex: 1, overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
        {text}
      </Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button variant="default" onClick={copy}>
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
    </Group>
  );
}
