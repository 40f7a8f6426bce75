import { expect, it } from "vitest";
import { difference, differs } from "./MetricTable";

it("measures from the first run, where both are defined", () => {
  const values = [1.5, 2, null];
  expect([0, 1, 2].map((place) => difference(values, place))).toEqual([null, 0.5, null]);
  expect(difference([null, 2], 1)).toBeNull();
});

it("tells metrics that differ", () => {
  expect(differs({ values: [1, 1, 1] })).toBe(false);
  expect(differs({ values: [1, null] })).toBe(true);
});
