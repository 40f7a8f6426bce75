/** The terms of a run as rows: each with its path and its value. */

export interface Term {
  path: string;
  value: unknown;
}

/** Return the leaves of nested terms; what is null is left out, since it asks for nothing. */
export function leavesOf(terms: Record<string, unknown>, prefix = ""): Term[] {
  return Object.entries(terms).flatMap(([name, value]) => {
    const path = prefix ? `${prefix}.${name}` : name;
    if (value === null || value === undefined) return [];
    return typeof value === "object" && !Array.isArray(value)
      ? leavesOf(value as Record<string, unknown>, path)
      : [{ path, value }];
  });
}
