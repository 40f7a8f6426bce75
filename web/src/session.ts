import { queryOptions, useQuery } from "@tanstack/react-query";
import { get, rememberCsrfToken } from "./api";
import { asProblem } from "./problem";

export type Role = "viewer" | "trader" | "admin";

/** Who is signed in. */
export interface Me {
  user: string;
  role: Role;
  csrf_token: string;
  must_change_password: boolean;
  via: "session" | "token";
  quota: Quota;
}

/** How much a user may ask for; null where there is no limit. */
export interface Quota {
  runs_per_day: number | null;
  runs_today: number;
  scenes_at_once: number | null;
  scenes_now: number;
}

/** What anyone may know about this service. */
export interface About {
  version: string;
  oidc: boolean;
  registration_open: boolean;
}

/** Who is signed in, or null. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      const me = await get<Me>("/session", {}, signal);
      rememberCsrfToken(me.csrf_token);
      return me;
    } catch (error) {
      if (asProblem(error).status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export const aboutQuery = queryOptions({
  queryKey: ["about"],
  queryFn: ({ signal }) => get<About>("/about", {}, signal),
  staleTime: Number.POSITIVE_INFINITY,
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
