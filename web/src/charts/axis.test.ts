import { expect, it } from "vitest";
import { compact, instantText, percent, priceDigits, signedPercent, tickText } from "./axis";

it("shows five digits of a price, and cents at least", () => {
  expect([43_512.1, 180, 1.0842, 0.00001234, 0].map(priceDigits)).toEqual([2, 2, 4, 9, 2]);
});

it("shortens large numbers", () => {
  expect([0, 0.1 + 0.2, 9_999, 12_500, 3_000_000].map(compact)).toEqual(["0", "0.3", "9999", "12.5K", "3M"]);
});

it("writes fractions as percentages and never a negative zero", () => {
  expect([0.1234, -0.5, 2.5, 0.0012, -0.00001].map((one) => percent(one))).toEqual([
    "12.3 %",
    "-50.0 %",
    "250 %",
    "0.12 %",
    "0.00 %",
  ]);
  expect([0.1, -0.1, 0].map((one) => signedPercent(one, 1))).toEqual(["+10.0 %", "−10.0 %", "0.0 %"]);
});

it("writes instants in UTC", () => {
  expect(instantText(1_704_207_600, 3_600)).toBe("2024-01-02 15:00");
  expect(instantText(1_704_207_600, 86_400)).toBe("2024-01-02");
});

it("writes below a chart the largest part of an instant that begins there", () => {
  const at = 1_704_207_600; // 2 January 2024, 15:00
  expect([0, 1, 2, 3].map((kind) => tickText(at, kind))).toEqual(["2024", "Jan", "2 Jan", "15:00"]);
});
