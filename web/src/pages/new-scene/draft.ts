/** What somebody has typed of a scene that is not published yet; kept by the browser. */

export interface Draft {
  text: string;
  name: string;
  note: string;
  tags: string[];
  isPrivate: boolean;
}

const keyOf = (user: string) => `mela.draft.${user}`;

/** Return the draft that this browser keeps of a user, or null. */
export function keptDraft(user: string, store: Storage = localStorage): Draft | null {
  const kept = store.getItem(keyOf(user));
  if (kept === null) return null;
  try {
    const { text, name, note, tags, isPrivate } = JSON.parse(kept) as Partial<Draft>;
    if (typeof text !== "string") return null;
    return {
      text,
      name: typeof name === "string" ? name : "",
      note: typeof note === "string" ? note : "",
      tags: Array.isArray(tags) ? tags.map(String) : [],
      isPrivate: isPrivate === true,
    };
  } catch {
    // What another version of the application has kept is of no use to this one.
    store.removeItem(keyOf(user));
    return null;
  }
}

export function keepDraft(user: string, draft: Draft, store: Storage = localStorage): void {
  store.setItem(keyOf(user), JSON.stringify(draft));
}

export function forgetDraft(user: string, store: Storage = localStorage): void {
  store.removeItem(keyOf(user));
}

const DAY_MS = 86_400_000;

interface Series {
  instrument: string;
  interval: string;
  first_opened_at: string;
  last_opened_at: string;
}

/** Return a scene to begin with: a strategy on the last year of the candles that there are. */
export function firstText(series: readonly Series[], strategy: string, instrument?: string): string {
  const hourly = series.filter((one) => one.interval === "1h");
  const wanted = (some: readonly Series[]) =>
    some.find((one) => one.instrument === (instrument ?? "binance:BTCUSDT")) ??
    (instrument ? undefined : some[0]);
  const found = wanted(hourly) ?? wanted(series) ?? null;
  const asked = found?.instrument ?? instrument ?? "binance:BTCUSDT";
  const { start, end } = found ? lastYear(found) : { start: "2023-01-01", end: "2024-01-01" };
  return [
    "schema_version: 1",
    `instruments: [${asked}]`,
    `interval: ${found?.interval ?? "1h"}`,
    `start: ${start}T00:00:00Z`,
    `end: ${end}T00:00:00Z`,
    `strategy: {name: ${strategy}}`,
    "cash: 10000",
    "",
  ].join("\n");
}

/** Return the last 365 whole days of a series, or all its days; the end is exclusive. */
export function lastYear(series: Pick<Series, "first_opened_at" | "last_opened_at">): {
  start: string;
  end: string;
} {
  const first = Math.ceil(Date.parse(series.first_opened_at) / DAY_MS) * DAY_MS;
  const last = Math.max(Math.floor(Date.parse(series.last_opened_at) / DAY_MS) * DAY_MS, first + DAY_MS);
  const start = Math.max(first, last - 365 * DAY_MS);
  return { start: day(start), end: day(last) };
}

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
