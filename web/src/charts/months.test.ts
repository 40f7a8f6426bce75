import { expect, it } from "vitest";
import { compounded, fullShade, yearRows } from "./months";

it("puts each month into its year and compounds them", () => {
  const rows = yearRows([
    { year: 2022, month: 12, return: 0.1 },
    { year: 2024, month: 1, return: 0.5 },
    { year: 2024, month: 2, return: -0.5 },
  ]);
  expect(rows.map((row) => row.year)).toEqual([2022, 2023, 2024]);
  expect(rows[0]?.months[11]).toBe(0.1);
  expect(rows[1]?.total).toBeNull();
  expect(rows[2]?.total).toBeCloseTo(-0.25);
});

it("has no rows without months", () => {
  expect(yearRows([])).toEqual([]);
  expect(compounded([null])).toBeNull();
  expect(fullShade([])).toBe(0);
});

it("takes the size of most months as full", () => {
  expect(fullShade([0.01, -0.02, 0.03, null, 0.9])).toBe(0.03);
});
