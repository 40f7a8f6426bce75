/** What stands in an address's query, before a page has read it. */
export type Raw = Record<string, unknown>;

/** Return a text of the query, or undefined. Numbers are texts here: `?tag=7`. */
export function text(raw: Raw, name: string): string | undefined {
  const value = raw[name];
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Return a list of texts; one text is a list of one. */
export function texts(raw: Raw, name: string): string[] | undefined {
  const value = raw[name];
  if (value === undefined || value === null || value === "") return undefined;
  const list = (Array.isArray(value) ? value : [value]).map(String);
  return list.length ? list : undefined;
}

/** Return a whole number or another finite one, or undefined. */
export function number(raw: Raw, name: string): number | undefined {
  const value = typeof raw[name] === "string" ? Number(raw[name]) : raw[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Return one of the words, or undefined. */
export function oneOf<Word extends string>(raw: Raw, name: string, words: readonly Word[]): Word | undefined {
  const value = raw[name];
  return words.find((word) => word === value);
}

/** Return an address of this site to go on to after signing in; "/" for any other site's. */
export function localAddress(value: string | undefined): string {
  return value?.startsWith("/") && !value.startsWith("//") && !value.includes("\\") ? value : "/";
}
