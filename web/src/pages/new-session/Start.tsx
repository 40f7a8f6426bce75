import { Alert, Button, List, Skeleton, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { CircleCheck, Play, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { startTradingSession } from "../../client";
import { ProblemView } from "../../components/ProblemView";
import type { SessionChecked } from "./useSessionCheck";

/** What is wrong with a session, and the button that starts it; money needs its name typed. */
export function Start({ text, check }: { text: string; check: SessionChecked }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const [isPrivate, setPrivate] = useState(false);
  const [typed, setTyped] = useState("");
  const { found, isChecking, textFaults } = check;
  const isMoney = found?.money === "live";
  const isConfirmed = !isMoney || typed === found?.name;
  const isReady = textFaults.length === 0 && !isChecking && found?.is_valid === true && isConfirmed;
  const start = useMutation({
    mutationFn: () =>
      startTradingSession({ body: { yaml: text, is_private: isPrivate, confirm: isMoney ? typed : null } }),
    onSuccess: async ({ data }) => {
      await client.invalidateQueries({
        predicate: ({ queryKey }) => (queryKey[0] as { _id?: string })?._id === "listTradingSessions",
      });
      void navigate({ to: "/trading/$sessionId", params: { sessionId: data.session_id } });
    },
  });
  return (
    <Stack gap="sm">
      <Verdict check={check} />
      {isMoney && (
        <TextInput
          label={
            <>
              This session trades money. Type <b>{found?.name}</b> to confirm
            </>
          }
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
      <Switch
        label="Keep it private"
        description="Others do not see it."
        checked={isPrivate}
        onChange={(event) => setPrivate(event.currentTarget.checked)}
      />
      {start.error && <ProblemView error={start.error} />}
      <Button
        leftSection={<Play size={15} aria-hidden />}
        disabled={!isReady}
        loading={start.isPending}
        color={isMoney ? "red.9" : undefined}
        onClick={() => start.mutate()}
      >
        {isMoney ? "Start with money" : "Start on paper"}
      </Button>
    </Stack>
  );
}

function Verdict({ check }: { check: SessionChecked }) {
  const { found, isChecking, error, textFaults } = check;
  if (textFaults.length > 0) {
    return (
      <Alert
        color="orange"
        variant="light"
        title="The YAML cannot be read"
        icon={<TriangleAlert size={18} aria-hidden />}
      >
        {textFaults.map((fault) => (
          <Text key={fault.message} size="sm">
            {fault.message}
          </Text>
        ))}
      </Alert>
    );
  }
  if (error) return <ProblemView error={error} />;
  if (!found) return <Skeleton height={48} />;
  return (
    <div aria-live="polite" aria-busy={isChecking} data-valid={found.is_valid && !isChecking}>
      {found.is_valid ? (
        <Text size="sm">
          <CircleCheck size={14} color="var(--mela-gain)" aria-hidden style={{ verticalAlign: -2 }} /> It can
          be started: <b>{found.name}</b>, {found.money === "live" ? "with money" : "on paper"}.
        </Text>
      ) : (
        <Alert
          color="orange"
          variant="light"
          title={found.faults.length === 1 ? "One thing is wrong" : `${found.faults.length} things are wrong`}
          icon={<TriangleAlert size={18} aria-hidden />}
        >
          <List size="sm" spacing={4}>
            {found.faults.map((fault) => (
              <List.Item key={`${fault.field}${fault.message}`}>
                {fault.field && <span className="mela-code">{fault.field}: </span>}
                {fault.message}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
    </div>
  );
}
