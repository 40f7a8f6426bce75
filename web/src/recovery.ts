import type { Query, QueryClient } from "@tanstack/react-query";
import type { ApiReturn } from "./apiReturn";
import { mayPass } from "./problem";

/** Read again by itself what a page shows and could not be read, once the API answers; ends it where called. */
export function retryFailures(client: QueryClient, api: ApiReturn): () => void {
  let leave: (() => void) | null = null;
  const again = () => {
    leave = null;
    void client.refetchQueries({ predicate: hasFailed }, { cancelRefetch: false });
  };
  const look = () => {
    const isFailing = client.getQueryCache().getAll().some(hasFailed);
    if (isFailing && leave === null) leave = api.wait(again);
    if (!isFailing && leave !== null) {
      leave();
      leave = null;
    }
  };
  const unsubscribe = client.getQueryCache().subscribe((event) => {
    if (event.type === "updated" || event.type === "observerAdded" || event.type === "observerRemoved")
      look();
  });
  return () => {
    unsubscribe();
    leave?.();
  };
}

/** Say whether something that is shown is older than it should be: reading it again fails. */
export function isOld(client: QueryClient): boolean {
  return client
    .getQueryCache()
    .getAll()
    .some((query) => query.state.data !== undefined && (hasFailed(query) || isCutOff(query)));
}

function hasFailed(query: Query): boolean {
  return query.isActive() && query.state.status === "error" && mayPass(query.state.error);
}

/** A read that waits for the network. */
function isCutOff(query: Query): boolean {
  return query.isActive() && query.state.fetchStatus === "paused";
}
