import { expect, it } from "vitest";
import { dayAfter } from "./AskBackfill";
import { spanOver } from "./SeriesCoverage";

it("spans all gaps, whatever their order", () => {
  const gaps = [
    { start: "2024-03-01T00:00:00Z", end: "2024-03-05T00:00:00Z", candles: 96 },
    { start: "2023-01-01T05:00:00Z", end: "2023-01-01T06:00:00Z", candles: 1 },
  ];
  expect(spanOver(gaps)).toEqual({ start: "2023-01-01T05:00:00Z", end: "2024-03-05T00:00:00Z" });
});

it("asks for whole days", () => {
  expect(dayAfter("2024-03-05T00:00:00Z")).toBe("2024-03-05");
  expect(dayAfter("2024-03-05T01:00:00Z")).toBe("2024-03-06");
});
