import { Alert, Stack, Text } from "@mantine/core";
import { Info, TriangleAlert } from "lucide-react";
import type { SessionCommand, TradingSessionRow } from "../../client";
import { Age } from "../../components/Age";
import { asSentence } from "../../components/format";
import { hasEnded } from "./states";

/** States that somebody wants a reason for; that a running session was started once explains nothing. */
const EXPLAINED: ReadonlySet<string> = new Set(["paused", "stopping", "stopped"]);

const DEAD_S = 30; // a process that has said nothing for so long does not trade

/** What somebody must know before the numbers: why it does not trade, what it was told. */
export function Notices({
  session,
  commands,
}: {
  session: TradingSessionRow;
  commands: readonly SessionCommand[];
}) {
  const waiting = commands.filter((one) => one.outcome === null);
  const refused = commands.find((one) => one.outcome !== null);
  const isSilent =
    !hasEnded(session.state) &&
    session.beat_at !== null &&
    Date.now() - Date.parse(session.beat_at) > DEAD_S * 1_000;
  return (
    <Stack gap="xs" aria-live="polite">
      {session.state === "failed" && (
        <Alert color="red" variant="light" title="The session has failed" icon={<TriangleAlert size={18} />}>
          {asSentence(session.why ?? "no reason was given.")}
        </Alert>
      )}
      {EXPLAINED.has(session.state) && session.why && <Text size="sm">{asSentence(session.why)}</Text>}
      {session.risk_state !== "active" && (
        <Alert
          color="orange"
          variant="light"
          title={
            session.risk_state === "halted"
              ? "Halted: it enters nothing until somebody releases it"
              : "Reducing: only orders that reduce a position pass"
          }
          icon={<TriangleAlert size={18} aria-hidden />}
        >
          {asSentence(session.risk_why ?? "the log says why.")}
        </Alert>
      )}
      {isSilent && (
        <Alert
          color="orange"
          variant="light"
          title="The process that trades does not answer"
          icon={<TriangleAlert size={18} aria-hidden />}
        >
          It was alive <Age at={session.beat_at} />; <code>mela status</code> says how it is. The kill switch
          of this page keeps orders from leaving, but cancels nothing at a broker until that process runs:{" "}
          <code>mela trade kill</code> does, where the stack runs.
        </Alert>
      )}
      {waiting.map((one) => (
        <Alert key={one.command_id} color="blue" variant="light" icon={<Info size={18} aria-hidden />}>
          {asSentence(one.kind)} was asked by {one.by ?? "nobody known"} <Age at={one.asked_at} />; the
          session has not answered yet.
        </Alert>
      ))}
      {refused?.outcome === "refused" && waiting.length === 0 && (
        <Alert color="orange" variant="light" icon={<TriangleAlert size={18} aria-hidden />}>
          {asSentence(refused.kind)} was refused: {refused.answer}
        </Alert>
      )}
    </Stack>
  );
}
