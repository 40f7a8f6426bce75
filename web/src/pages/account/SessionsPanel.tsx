import { Badge, Button, Group, Table, Text, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter } from "@tanstack/react-router";
import { endSession, listSessions, signOutEverywhere } from "../../client";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { Instant } from "../../components/Instant";
import { Panel } from "../../components/Panel";
import { ProblemView } from "../../components/ProblemView";
import { Sideways } from "../../components/Sideways";

const KEY = ["sessions"];

/** Where one is signed in, and how to end that. */
export function SessionsPanel() {
  const client = useQueryClient();
  const router = useRouter();
  const navigate = useNavigate();
  const found = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => (await listSessions({ signal })).data,
  });
  const data = hasAnswer(found) ? found.data : undefined;
  const end = useMutation({
    mutationFn: (id: number) => endSession({ path: { session_id: id } }),
    onSettled: () => client.invalidateQueries({ queryKey: KEY }),
  });
  const everywhere = useMutation({
    mutationFn: () => signOutEverywhere(),
    onSuccess: async () => {
      client.clear();
      await router.invalidate();
      await navigate({ to: "/sign-in" });
    },
  });
  const failure = end.error ?? everywhere.error;
  return (
    <Panel
      title="Sessions"
      aside={
        <Button
          size="xs"
          variant="default"
          loading={everywhere.isPending}
          onClick={() => everywhere.mutate()}
        >
          Sign out everywhere
        </Button>
      }
    >
      {failure && <ProblemView error={failure} />}
      {!data && <Unanswered to={found} />}
      {data && (
        <Sideways label="Table: Sessions">
          <Table verticalSpacing={4} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Browser</Table.Th>
                <Table.Th scope="col">From</Table.Th>
                <Table.Th scope="col">Signed in</Table.Th>
                <Table.Th scope="col">Last seen</Table.Th>
                <Table.Th scope="col">Ends</Table.Th>
                <Table.Th scope="col">
                  <VisuallyHidden>Sign out</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.items.map((session) => (
                <Table.Tr key={session.id}>
                  <Table.Td>
                    <Group gap={8}>
                      <Text size="sm" title={session.agent ?? undefined}>
                        {browserOf(session.agent)}
                      </Text>
                      {session.is_this && (
                        <Badge size="sm" variant="default" tt="none">
                          this one
                        </Badge>
                      )}
                    </Group>
                  </Table.Td>
                  <Table.Td>{session.address ?? "–"}</Table.Td>
                  <Table.Td>
                    <Instant at={session.created_at} />
                  </Table.Td>
                  <Table.Td>
                    <Instant at={session.seen_at} as="ago" />
                  </Table.Td>
                  <Table.Td>
                    <Instant at={session.ends_at} />
                  </Table.Td>
                  <Table.Td ta="right">
                    {!session.is_this && (
                      <Button
                        size="compact-xs"
                        variant="default"
                        loading={end.isPending && end.variables === session.id}
                        onClick={() => end.mutate(session.id)}
                      >
                        Sign out
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Sideways>
      )}
    </Panel>
  );
}

const BROWSERS: readonly [RegExp, string][] = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];

/** Return a browser and its system in words; else the program's own name. */
export function browserOf(agent: string | null): string {
  if (!agent) return "unknown program";
  const find = (all: readonly [RegExp, string][]) => all.find(([pattern]) => pattern.test(agent))?.[1];
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  if (!browser) return agent.split(/[ /]/)[0] ?? agent;
  return system ? `${browser} on ${system}` : browser;
}
