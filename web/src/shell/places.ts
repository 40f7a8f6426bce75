import type { Role } from "../client";

/** The places of the navigation, with the second key of `g` and who sees them. */
export const PLACES = [
  { to: "/scenes", label: "Scenes", key: "s", role: "viewer" },
  { to: "/trading", label: "Trading", key: "r", role: "viewer" },
  { to: "/strategies", label: "Strategies", key: "t", role: "viewer" },
  { to: "/data", label: "Data", key: "d", role: "viewer" },
  { to: "/schedules", label: "Schedules", key: "c", role: "viewer" },
  { to: "/admin", label: "Admin", key: "a", role: "admin" },
] as const satisfies readonly { to: string; label: string; key: string; role: Role }[];
