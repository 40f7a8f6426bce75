import { Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useRef, useSyncExternalStore } from "react";
import { isAbsent, isWithdrawn } from "../problem";
import { isOld } from "../recovery";
import { EmptyState } from "./EmptyState";
import { PageLoading } from "./PageLoading";
import { ProblemView } from "./ProblemView";

interface Asked {
  data: unknown;
  error: unknown;
  refetch: () => unknown;
  errorUpdateCount: number;
}

/**
 * Say whether there is an answer to show. One that was read stays while a later reading fails, which the
 * frame of the page says (`Freshness`); what the API hides from now on does not stay.
 */
export function hasAnswer<Of extends Asked>(asked: Of): asked is Of & { data: NonNullable<Of["data"]> } {
  return asked.data !== undefined && !isWithdrawn(asked.error);
}

interface Props {
  to: Asked;
  /** What it is, at the beginning of a sentence */
  what?: string;
}

/** What stands in the place of an answer that is not there: it is on its way, was refused or withdrawn. */
export function Unanswered({ to, what = "This" }: Props) {
  // While it is asked again, what went wrong before stays, rather than to come and go with each try.
  const last = useRef<unknown>(null);
  if (to.error || to.errorUpdateCount === 0) last.current = to.error;
  const error = to.error ?? last.current;
  if (!error) return <PageLoading />;
  if (to.data !== undefined && isAbsent(error)) {
    return (
      <EmptyState
        title={`${what} is not shared any more`}
        action={<Link to="/scenes">Show what there is</Link>}
      >
        Its owner keeps it private now, or it was removed.
      </EmptyState>
    );
  }
  return <ProblemView error={error} onRetry={() => void to.refetch()} />;
}

/** Say that something on the page is older than it should be, as long as it is. */
export function Freshness() {
  const client = useQueryClient();
  const cache = client.getQueryCache();
  const isBehind = useSyncExternalStore(
    (listener) => cache.subscribe(listener),
    () => isOld(client),
  );
  return (
    <div role="status" data-freshness={isBehind ? "old" : "fresh"}>
      {isBehind && (
        <Text size="sm" mb="xs" c="var(--mela-warn)">
          What is shown could not be read anew, and may be old. Mela is asked again by itself.
        </Text>
      )}
    </div>
  );
}
