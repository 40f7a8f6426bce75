import { expect, it } from "vitest";
import { formatPrice, formatUnits, hasEnded, sawWords } from "./states";

it("ends with stopped and failed, and with nothing else", () => {
  const states = ["starting", "running", "paused", "stopping", "stopped", "failed"] as const;
  expect(states.filter(hasEnded)).toEqual(["stopped", "failed"]);
});

it("writes units with all their digits", () => {
  expect(formatUnits(0.000012345678)).toBe("0.000012345678");
  expect(formatUnits(-1_234.5)).toBe("−1,234.5");
  expect(formatUnits(null)).toBe("–");
});

it("writes prices with digits by their size", () => {
  expect(formatPrice(42_123.456)).toBe("42,123.46");
  expect(formatPrice(1.23456)).toBe("1.2346");
  expect(formatPrice(0.00001234)).toBe("0.00001234");
});

it("says of what is missing that it is not known", () => {
  expect(sawWords({ daily_loss: 0.031, limit: 0.03, equity: null })).toBe(
    "daily loss 0.031, limit 0.03, equity not known",
  );
});
