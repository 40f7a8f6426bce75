import { expect, it } from "vitest";
import { instantOf, logicalOf, spanOf } from "./timescale";

const times = [100, 110, 120, 200, 210]; // a night between 120 and 200

it("begins each point half a place before it", () => {
  expect(times.map((at) => logicalOf(times, 10, at))).toEqual([-0.5, 0.5, 1.5, 2.5, 3.5]);
});

it("goes on beyond both ends", () => {
  expect(logicalOf(times, 10, 80)).toBe(-2.5);
  expect(logicalOf(times, 10, 230)).toBe(5.5);
});

it("returns to the instant it came from", () => {
  for (const at of [70, 100, 104, 119.5, 150, 199, 205, 219, 260]) {
    expect(instantOf(times, 10, logicalOf(times, 10, at))).toBeCloseTo(at, 9);
  }
});

it("keeps what is on the screen when points become finer", () => {
  const coarse = [0, 100, 200, 300];
  const fine = Array.from({ length: 40 }, (_, place) => place * 10);
  const seen = spanOf(coarse, 100, { from: 0.7, to: 2.1 });
  expect(
    spanOf(fine, 10, { from: logicalOf(fine, 10, seen.from), to: logicalOf(fine, 10, seen.to) }),
  ).toEqual({ from: expect.closeTo(seen.from, 9), to: expect.closeTo(seen.to, 9) });
});
