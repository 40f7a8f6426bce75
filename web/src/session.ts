import { queryOptions, useQuery } from "@tanstack/react-query";
import { rememberCsrfToken } from "./api";
import { getSession, type Me, type Role } from "./client";
import { asProblem } from "./problem";

/** Who is signed in, or null. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      const { data: me } = await getSession({ signal });
      rememberCsrfToken(me.csrf_token ?? "");
      return me;
    } catch (error) {
      if (asProblem(error).status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

/** Return who is signed in; only for pages behind the sign-in. */
export function useMe(): Me {
  const { data } = useQuery(sessionQuery);
  if (!data) throw new Error("this page needs somebody signed in");
  return data;
}

const RANK: Record<Role, number> = { viewer: 0, trader: 1, admin: 2 };

/** Say whether a user may do what needs a role. */
export function may(me: Me, role: Role): boolean {
  return RANK[me.role] >= RANK[role];
}
