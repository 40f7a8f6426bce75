/** How a metric or another number is written: `fraction` as %, the others as they are. */
export type Unit =
  | "fraction"
  | "fraction per year"
  | "ratio"
  | "count"
  | "days"
  | "money"
  | "quote currency"
  | "candles"
  | "seconds"
  | "number"
  | "probability"
  | "years"
  | (string & {});

/** What stands where a number is undefined. */
export const NOTHING = "–";

const MINUS = "−";

function grouped(value: number, digits: number): string {
  const text = Math.abs(value).toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  const isNegative = value < 0 && Number(text.replaceAll(",", "")) !== 0;
  return `${isNegative ? MINUS : ""}${text}`;
}

/** Return how many decimals a value needs, so that about four digits tell something. */
function decimals(value: number): number {
  const size = Math.abs(value);
  if (size >= 1_000) return 0;
  if (size >= 100) return 1;
  return 2;
}

/** Write a number with its unit; undefined and not finite numbers are written as a dash. */
export function formatNumber(value: number | null | undefined, unit: Unit = "number"): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  switch (unit) {
    case "fraction":
    case "fraction per year":
    case "probability": {
      const percent = value * 100;
      return `${grouped(percent, Math.abs(percent) >= 1_000 ? 0 : Math.abs(percent) >= 100 ? 1 : 2)} %`;
    }
    case "count":
    case "candles":
      return grouped(value, Number.isInteger(value) ? 0 : 1);
    case "money":
    case "quote currency": // what the catalogue of metrics calls money
      return grouped(value, 2);
    case "days":
      return `${grouped(value, Number.isInteger(value) ? 0 : 1)} d`;
    case "seconds":
      return formatDuration(value);
    default:
      return grouped(value, Number.isInteger(value) && Math.abs(value) >= 1_000 ? 0 : decimals(value));
  }
}

/** Write a number with + or −, as a change is written. */
export function formatChange(value: number | null | undefined, unit: Unit = "number"): string {
  const text = formatNumber(value, unit);
  return value !== null && value !== undefined && value > 0 && text !== NOTHING ? `+${text}` : text;
}

/** Write what a number of units is, with as many digits as it has, twelve at most unless told. */
export function formatUnits(units: number | null, digits = 12): string {
  if (units === null) return NOTHING;
  return units.toLocaleString("en-US", { maximumSignificantDigits: digits }).replace("-", "−");
}

/** Write a price with the digits that tell it from its neighbours. */
export function formatPrice(price: number | null): string {
  if (price === null) return NOTHING;
  const size = Math.abs(price);
  const digits = size >= 1_000 ? 2 : size >= 1 ? 4 : 8;
  return price.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits });
}

/** Write a length of time in seconds by its two largest units: `2 h 5 min`. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NOTHING;
  if (seconds < 1) return "< 1 s";
  const whole = Math.round(seconds);
  const units: [number, string][] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => whole >= size);
  const parts: string[] = [];
  let rest = whole;
  for (const [size, name] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(" ");
}

/** Write an instant in UTC: `2023-01-01 14:05`, seconds only where there are some. */
export function formatInstant(value: string | number | Date): string {
  const text = new Date(value).toISOString();
  const seconds = text.slice(17, 19);
  return `${text.slice(0, 10)} ${text.slice(11, 16)}${seconds === "00" ? "" : `:${seconds}`}`;
}

/** Write the day of an instant in UTC. */
export function formatDay(value: string | number | Date): string {
  return new Date(value).toISOString().slice(0, 10);
}

/** Write how long ago an instant was: `just now`, `5 min ago`, `3 d ago`. */
export function formatAgo(value: string, now: number = Date.now()): string {
  const seconds = (now - Date.parse(value)) / 1_000;
  if (seconds < 45) return "just now";
  for (const [size, name] of [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
  ] as const) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${name} ago`;
  }
  return "1 min ago";
}

/** Write words as a sentence begins: with a capital letter. */
export function asSentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Write a value of a parameter as people read it. */
export function formatParam(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number") return String(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "string") return JSON.stringify(value);
  return value.replace(/^(\d{4}-\d{2}-\d{2})T00:00:00Z$/, "$1");
}

/** Shorten the path of a parameter to what tells it apart: `strategy.params.fast` is `fast`. */
export function paramName(path: string): string {
  return path.replace(/^strategy\.params\./, "");
}
