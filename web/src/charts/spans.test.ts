import { describe, expect, it } from "vitest";
import { around, type Loaded, POINTS, placeOf, spanToAsk, width } from "./spans";

const MINUTE = 60;
const whole = { from: 0, to: 500_000 * MINUTE };
const overview: Loaded = { ...whole, secondsPerPoint: width(whole) / POINTS };

describe("spanToAsk", () => {
  it("asks for nothing while the whole run is on the screen", () => {
    expect(spanToAsk(whole, overview, whole, MINUTE)).toBeNull();
  });

  it("asks for a finer span with its neighbours after zooming in", () => {
    const visible = { from: 10_000 * MINUTE, to: 11_000 * MINUTE };
    expect(spanToAsk(visible, overview, whole, MINUTE)).toEqual({
      from: 9_000 * MINUTE,
      to: 12_000 * MINUTE,
    });
  });

  it("asks for nothing finer than the candles", () => {
    const loaded = { from: 9_000 * MINUTE, to: 10_500 * MINUTE, secondsPerPoint: MINUTE };
    const visible = { from: 9_700 * MINUTE, to: 9_720 * MINUTE };
    expect(spanToAsk(visible, loaded, whole, MINUTE)).toBeNull();
  });

  it("asks for more before the edge of what is loaded is reached", () => {
    const loaded = { from: 9_000 * MINUTE, to: 10_500 * MINUTE, secondsPerPoint: MINUTE };
    const visible = { from: 9_100 * MINUTE, to: 9_600 * MINUTE };
    expect(spanToAsk(visible, loaded, whole, MINUTE)).toEqual({
      from: 8_600 * MINUTE,
      to: 10_100 * MINUTE,
    });
  });

  it("does not ask beyond the run at its edges", () => {
    const loaded = { from: 0, to: 1_500 * MINUTE, secondsPerPoint: MINUTE };
    expect(spanToAsk({ from: -200 * MINUTE, to: 300 * MINUTE }, loaded, whole, MINUTE)).toBeNull();
  });

  it("asks for the whole run after zooming out", () => {
    const loaded = { from: 9_000 * MINUTE, to: 10_500 * MINUTE, secondsPerPoint: MINUTE };
    expect(spanToAsk(whole, loaded, whole, MINUTE)).toEqual(whole);
  });

  it("is satisfied by the answer to what it asked", () => {
    for (let minutes = 50; minutes < 500_000; minutes = Math.ceil(minutes * 1.13)) {
      const visible = { from: 100_000 * MINUTE, to: (100_000 + minutes) * MINUTE };
      const asked = spanToAsk(visible, overview, whole, MINUTE);
      if (asked === null) {
        continue;
      }
      const answer = { ...asked, secondsPerPoint: MINUTE * Math.ceil(width(asked) / (MINUTE * POINTS)) };
      expect(spanToAsk(visible, answer, whole, MINUTE)).toBeNull();
    }
  });
});

describe("around", () => {
  it("stays within the run", () => {
    expect(around(10, 100, { from: 0, to: 1_000 })).toEqual({ from: 0, to: 100 });
    expect(around(990, 100, { from: 0, to: 1_000 })).toEqual({ from: 900, to: 1_000 });
    expect(around(500, 5_000, { from: 0, to: 1_000 })).toEqual({ from: 0, to: 1_000 });
  });
});

describe("placeOf", () => {
  it("finds the point that holds an instant", () => {
    const times = [10, 20, 30];
    expect([5, 10, 19, 20, 99].map((at) => placeOf(times, at))).toEqual([-1, 0, 0, 1, 2]);
  });
});
