/** Numbers and times as the axes of charts write them. */

/** Return how many decimals tell prices of this size apart: five digits in all, at least two. */
export function priceDigits(price: number): number {
  const size = Math.abs(price);
  if (!Number.isFinite(size) || size === 0) {
    return 2;
  }
  return Math.min(Math.max(4 - Math.floor(Math.log10(size)), 2), 10);
}

const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** Return a number short enough for an axis: 12.5K, 3M. */
export function compact(value: number): string {
  return Math.abs(value) < 10_000 ? String(Number(value.toPrecision(4))) : COMPACT.format(value);
}

/** Return a fraction as a percentage, with as many decimals as a step needs. */
export function percent(fraction: number, decimals?: number): string {
  const size = Math.abs(fraction * 100);
  const digits = decimals ?? (size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : 2);
  return `${(fraction * 100).toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "")} %`;
}

/** As percent, with a plus before gains and a true minus before losses. */
export function signedPercent(fraction: number, decimals?: number): string {
  const text = percent(fraction, decimals);
  return text.startsWith("-") ? `−${text.slice(1)}` : fraction > 0 ? `+${text}` : text;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** Return an instant in UTC, as exact as the points of a chart are: a date, or a date and a minute. */
export function instantText(seconds: number, secondsPerPoint: number): string {
  const at = new Date(seconds * 1000);
  const day = `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  return secondsPerPoint >= 86_400 ? day : `${day} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Return what stands below a chart at an instant (seconds since 1970, UTC).
 *
 * kind: the largest part of the instant that begins there, as lightweight-charts counts them: 0 a
 * year, 1 a month, 2 a day, else a time of the day
 */
export function tickText(seconds: unknown, kind: number): string {
  const at = new Date(Number(seconds) * 1000);
  const month = MONTHS[at.getUTCMonth()] as string;
  if (kind === 0) return String(at.getUTCFullYear());
  if (kind === 1) return month;
  return kind === 2 ? `${at.getUTCDate()} ${month}` : `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}
