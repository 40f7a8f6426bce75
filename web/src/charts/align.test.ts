import { expect, it } from "vitest";
import { lastOfEach, lowestOfEach } from "./align";

const times = [0, 10, 20, 30];

it("takes the last value of each bucket and carries it on", () => {
  const curve = { t: [1, 9, 12, 35], v: [1, 2, 3, 4] };
  expect(lastOfEach(times, curve)).toEqual([2, 3, 3, 4]);
});

it("has nothing before a curve begins", () => {
  expect(lastOfEach(times, { t: [15], v: [7] })).toEqual([null, 7, 7, 7]);
  expect(lastOfEach(times, { t: [], v: [] })).toEqual([null, null, null, null]);
});

it("passes over values that are missing", () => {
  expect(lastOfEach(times, { t: [1, 11, 21], v: [5, null, 6] })).toEqual([5, 5, 6, 6]);
});

it("keeps the deepest fall of each bucket", () => {
  const curve = { t: [1, 2, 3, 12, 25], v: [0, -0.4, -0.1, -0.05, 0] };
  expect(lowestOfEach(times, curve)).toEqual([-0.4, -0.05, 0, 0]);
});
