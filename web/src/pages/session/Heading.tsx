import { Button, Group, Text, Title, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Lock, OctagonX, Pause, Play, ShieldCheck, Square } from "lucide-react";
import { commandTradingSession, type SessionAsked, type TradingSessionRow } from "../../client";
import { getTradingSessionQueryKey } from "../../client/@tanstack/react-query.gen";
import { Instant } from "../../components/Instant";
import { StateBadge } from "../../components/StateBadge";
import { asProblem } from "../../problem";
import { may, useMe } from "../../session";
import { MoneyBadge } from "../trading/sessionColumns";
import { KillSwitch } from "./KillSwitch";
import { StopDialog } from "./StopDialog";
import { hasEnded } from "./states";

/** What a session is called, how it is, and what can be done with it. */
export function Heading({ session }: { session: TradingSessionRow }) {
  const instruments =
    session.instruments.length > 3
      ? `${session.instruments.length} instruments`
      : session.instruments.join(", ");
  return (
    <Group justify="space-between" align="flex-start" gap="sm">
      <div style={{ minWidth: 0 }}>
        <Group gap="sm" data-session-state={session.state} data-risk-state={session.risk_state}>
          {session.is_private && (
            <Tooltip label="Private: only you see it.">
              <Lock size={16} aria-label="private" />
            </Tooltip>
          )}
          <Title order={1}>{session.name}</Title>
          <MoneyBadge money={session.money} />
          <StateBadge state={session.state} />
          <Group gap={4} wrap="nowrap">
            <Text size="sm" className="mela-muted" component="span">
              risk
            </Text>
            <StateBadge state={session.risk_state} />
          </Group>
        </Group>
        <Text>
          {session.strategy} on {instruments} · {session.interval} · fills: {session.broker} · candles:{" "}
          {session.feed}
        </Text>
        <Text size="sm" className="mela-muted">
          {session.owner ? `${session.owner}, ` : ""}
          started <Instant at={session.started_at} />
          {session.ended_at && (
            <>
              , ended <Instant at={session.ended_at} />
            </>
          )}
        </Text>
      </div>
      <Controls session={session} />
    </Group>
  );
}

function Controls({ session }: { session: TradingSessionRow }) {
  const me = useMe();
  const client = useQueryClient();
  const [isKilling, killing] = useDisclosure(false);
  const [isStopping, stopping] = useDisclosure(false);
  const path = { session_id: session.session_id };
  const ask = useMutation({
    mutationFn: (kind: SessionAsked["kind"]) => commandTradingSession({ path, body: { kind } }),
    onSuccess: () => {
      stopping.close();
      void client.invalidateQueries({ queryKey: getTradingSessionQueryKey({ path }) });
    },
    onError: (error) =>
      notifications.show({
        color: "orange",
        title: "The session was not told",
        message: asProblem(error).message,
        autoClose: 10_000,
      }),
  });
  if (!may(me, "trader") || !(session.is_mine || may(me, "admin"))) return null;
  const isOpen = !hasEnded(session.state);
  const isOutside = !session.broker.startsWith("paper"); // where one that has ended may have left something
  const button = { size: "xs", variant: "default", disabled: ask.isPending } as const;
  return (
    <Group gap="xs" className="mela-no-print">
      {session.state === "running" && (
        <Button {...button} leftSection={<Pause size={14} aria-hidden />} onClick={() => ask.mutate("pause")}>
          Pause
        </Button>
      )}
      {session.state === "paused" && (
        <Button {...button} leftSection={<Play size={14} aria-hidden />} onClick={() => ask.mutate("resume")}>
          Resume
        </Button>
      )}
      {isOpen && session.risk_state === "halted" && (
        <Button
          {...button}
          leftSection={<ShieldCheck size={14} aria-hidden />}
          onClick={() => ask.mutate("release")}
        >
          Release
        </Button>
      )}
      {isOpen && (
        <Button {...button} leftSection={<Square size={13} aria-hidden />} onClick={stopping.open}>
          Stop
        </Button>
      )}
      {(isOpen || isOutside) && (
        <Button
          size="xs"
          color="red.9"
          leftSection={<OctagonX size={15} aria-hidden />}
          onClick={killing.open}
        >
          Kill switch
        </Button>
      )}
      <StopDialog
        session={session}
        isOpen={isStopping}
        isBusy={ask.isPending}
        onClose={stopping.close}
        onStop={() => ask.mutate("stop")}
      />
      <KillSwitch session={session} isOpen={isKilling} onClose={killing.close} />
    </Group>
  );
}
