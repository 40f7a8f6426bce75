import type { TradingSessionRow } from "../../client";

/** Say whether a session trades no more and cannot go on. */
export function hasEnded(state: TradingSessionRow["state"]): boolean {
  return state === "stopped" || state === "failed";
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
