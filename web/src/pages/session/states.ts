import type { TradingSessionRow } from "../../client";

/** Say whether a session trades no more and cannot go on. */
export function hasEnded(state: TradingSessionRow["state"]): boolean {
  return state === "stopped" || state === "failed";
}

/** Write what a number of units is, with as many digits as it has, twelve at most. */
export function formatUnits(units: number | null): string {
  if (units === null) return "–";
  return units.toLocaleString("en-US", { maximumSignificantDigits: 12 }).replace("-", "−");
}

/** Write a price with the digits that tell it from its neighbours. */
export function formatPrice(price: number | null): string {
  if (price === null) return "–";
  const size = Math.abs(price);
  const digits = size >= 1_000 ? 2 : size >= 1 ? 4 : 8;
  return price.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits });
}

/** Write what the risk engine saw: `daily_loss 0.031, limit 0.03`. */
export function sawWords(saw: Readonly<Record<string, unknown>>): string {
  return Object.entries(saw)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${valueWords(value)}`)
    .join(", ");
}

function valueWords(value: unknown): string {
  if (value === null || value === undefined) return "not known";
  if (typeof value === "number") return value.toLocaleString("en-US", { maximumSignificantDigits: 8 });
  return typeof value === "string" ? value : JSON.stringify(value);
}
