import { describe, expect, it } from "vitest";
import {
  formatAgo,
  formatChange,
  formatDuration,
  formatInstant,
  formatNumber,
  formatParam,
  formatPrice,
  formatUnits,
  paramName,
} from "./format";

describe("formatNumber", () => {
  it("writes fractions as per cent", () => {
    expect(formatNumber(0.1234, "fraction")).toBe("12.34 %");
    expect(formatNumber(-0.05, "fraction")).toBe("−5.00 %");
    expect(formatNumber(12.5, "fraction")).toBe("1,250 %");
    expect(formatNumber(0.25, "fraction per year")).toBe("25.00 %");
  });

  it("writes what is undefined as a dash", () => {
    for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(formatNumber(value, "fraction")).toBe("–");
    }
  });

  it("never writes a negative zero", () => {
    expect(formatNumber(-0.00001, "fraction")).toBe("0.00 %");
  });

  it("groups counts and money", () => {
    expect(formatNumber(20000, "count")).toBe("20,000");
    expect(formatNumber(1234.5, "money")).toBe("1,234.50");
    expect(formatNumber(9_532.123, "quote currency")).toBe("9,532.12");
  });
});

it("writes units with all their digits", () => {
  expect(formatUnits(0.000012345678)).toBe("0.000012345678");
  expect(formatUnits(-1_234.5)).toBe("−1,234.5");
  expect(formatUnits(0.234567890123, 6)).toBe("0.234568");
  expect(formatUnits(null)).toBe("–");
});

it("writes prices with digits by their size", () => {
  expect(formatPrice(42_123.456)).toBe("42,123.46");
  expect(formatPrice(1.23456)).toBe("1.2346");
  expect(formatPrice(0.00001234)).toBe("0.00001234");
});

it("writes a change with its sign", () => {
  expect(formatChange(0.5)).toBe("+0.50");
  expect(formatChange(-0.5)).toBe("−0.50");
  expect(formatChange(0)).toBe("0.00");
});

it("writes a duration by its two largest units", () => {
  expect(formatDuration(0.2)).toBe("< 1 s");
  expect(formatDuration(65)).toBe("1 min 5 s");
  expect(formatDuration(7_260)).toBe("2 h 1 min");
  expect(formatDuration(3_600)).toBe("1 h");
});

it("writes instants in UTC, wherever the reader is", () => {
  expect(formatInstant("2023-01-01T01:30:00+01:00")).toBe("2023-01-01 00:30");
  expect(formatInstant("2023-01-01T00:00:07Z")).toBe("2023-01-01 00:00:07");
});

it("says how long ago an instant was", () => {
  const now = Date.parse("2023-01-02T00:00:00Z");
  expect(formatAgo("2023-01-01T23:59:50Z", now)).toBe("just now");
  expect(formatAgo("2023-01-01T23:55:00Z", now)).toBe("5 min ago");
  expect(formatAgo("2022-12-30T00:00:00Z", now)).toBe("3 d ago");
});

it("writes values of parameters as people read them", () => {
  expect(formatParam(null)).toBe("none");
  expect(formatParam(true)).toBe("yes");
  expect(formatParam("2023-01-01T00:00:00Z")).toBe("2023-01-01");
  expect(formatParam("2023-01-01T06:00:00Z")).toBe("2023-01-01T06:00:00Z");
});

it("shortens only what belongs to the strategy", () => {
  expect(paramName("strategy.params.fast")).toBe("fast");
  expect(paramName("exits.stop_loss")).toBe("exits.stop_loss");
});
