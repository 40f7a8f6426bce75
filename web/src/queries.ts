import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { asProblem, mayPass } from "./problem";

/** Make the cache of answers; `onSignedOut` is called when the API no longer knows the session. */
export function makeQueryClient(onSignedOut: () => void): QueryClient {
  const watch = (error: unknown) => {
    if (asProblem(error).status === 401) onSignedOut();
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError: watch }),
    mutationCache: new MutationCache({
      // A wrong password is answered with 401, too, and ends no session.
      onError: (error, _variables, _context, mutation) => {
        if (!mutation.meta?.isSignIn) watch(error);
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        refetchOnWindowFocus: true,
        // A refusal stays one; what may pass (no answer, an overloaded server) is asked again.
        retry: (failures, error) => failures < 3 && mayPass(error),
        retryDelay: (failures) => Math.min(500 * 2 ** failures, 8_000),
      },
    },
  });
}
