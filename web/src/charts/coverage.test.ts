import { expect, it } from "vitest";
import { LIGHT } from "./colours";
import { coverageOption, kindColours, kindOf, yearsOf } from "./coverage";

const days = [
  { day: "2023-12-31", stored: 24, expected: 24 },
  { day: "2024-01-01", stored: 3, expected: 24 },
  { day: "2024-01-02", stored: 0, expected: 24 },
  { day: "2024-01-03", stored: 25, expected: 24 },
];

it("tells days with gaps from days without candles", () => {
  expect(days.map(kindOf)).toEqual(["full", "partial", "missing", "extra"]);
});

it("draws a calendar for each year with its days", () => {
  expect(yearsOf(days)).toEqual(["2023", "2024"]);
  const option = coverageOption(days, LIGHT, false) as {
    calendar: unknown[];
    series: { data: [string, number][] }[];
    visualMap: { pieces: { value: number; color: string }[] };
  };
  expect(option.calendar).toHaveLength(2);
  expect(option.series.map((one) => one.data.length)).toEqual([1, 3]);
  const place = option.series[1]?.data[1]?.[1];
  const piece = option.visualMap.pieces.find((one) => one.value === place);
  expect(piece?.color).toBe(kindColours(LIGHT).missing);
});
