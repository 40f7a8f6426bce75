import { Alert, List, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { CircleX, History, TriangleAlert } from "lucide-react";
import type { RunDetail } from "../../client";
import { asSentence } from "../../components/format";

/** What to know before one believes the numbers: failure, stale candles or code, lookahead, warnings. */
export function Warnings({ detail }: { detail: RunDetail }) {
  const { result, is_stale: isStale, stale_reasons: reasons } = detail;
  const said = [...lookahead(result.lookahead), ...result.warnings.map((one) => asSentence(one.message))];
  const scene = detail.scenes[0];
  return (
    <>
      {result.failure && (
        <Alert
          color="red"
          variant="light"
          role="alert"
          icon={<CircleX size={18} aria-hidden />}
          title="The run failed"
        >
          <Text size="sm">
            {result.failure.kind}: {result.failure.message}
          </Text>
          {result.failure.file && (
            <Text size="sm" className="mela-code">
              {result.failure.file}
              {result.failure.line !== null && `, line ${result.failure.line}`}
            </Text>
          )}
        </Alert>
      )}
      {isStale && (
        <Alert
          color="orange"
          variant="light"
          icon={<History size={18} aria-hidden />}
          title="This result is stale: it would come out differently today"
        >
          <List size="sm">
            {reasons.map((reason) => (
              <List.Item key={reason}>{asSentence(reason)}</List.Item>
            ))}
          </List>
          {scene && (
            <Text size="sm" mt={6}>
              <Link to="/scenes/$sceneId" params={{ sceneId: scene.scene_id }}>
                Ask its scene again
              </Link>{" "}
              to have it computed anew.
            </Text>
          )}
        </Alert>
      )}
      {said.length > 0 && (
        <Alert
          color="yellow"
          variant="light"
          icon={<TriangleAlert size={18} aria-hidden />}
          title={said.length === 1 ? "One warning" : `${said.length} warnings`}
        >
          <List size="sm">
            {said.map((sentence) => (
              <List.Item key={sentence}>{sentence}</List.Item>
            ))}
          </List>
        </Alert>
      )}
    </>
  );
}

/** Return what a verdict about lookahead warns of; nothing where the check found nothing. */
export function lookahead(verdict: string): string[] {
  switch (verdict) {
    case "found":
      return [
        "The strategy looks ahead: its decisions depend on later candles. Do not believe these numbers.",
      ];
    case "depends_on_history":
      return ["What the strategy decides depends on where its candles begin."];
    case "not_verified":
      return ["Nobody has checked yet whether this strategy looks ahead."];
    default:
      return [];
  }
}
