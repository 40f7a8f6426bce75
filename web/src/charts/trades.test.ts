import { expect, it } from "vitest";
import { levelsOf, nearest, placed, type TradeMark } from "./trades";

const NONE = { stopLoss: null, takeProfit: null };

function trade(seq: number, entryAt: number, exitAt: number, side: "long" | "short" = "long"): TradeMark {
  return { seq, side, entryAt, exitAt, entryPrice: 100, exitPrice: 110, pnl: 10, reason: "signal" };
}

it("puts fills at the points that hold them, and leaves out what is elsewhere", () => {
  const times = [100, 110, 120];
  const trades = [trade(1, 50, 99), trade(2, 90, 105), trade(3, 115, 140), trade(4, 130, 140)];
  const found = placed(trades, times, 130, NONE);
  expect(found.map((one) => [one.trade.seq, one.entry, one.exit])).toEqual([
    [2, -1, 0],
    [3, 1, 3],
  ]);
});

it("places nothing where there are no candles", () => {
  expect(placed([trade(1, 0, 10)], [], 100, NONE)).toEqual([]);
});

it("puts a short's stop above its entry and its target below", () => {
  const levels = { stopLoss: 0.05, takeProfit: 0.1 };
  expect(levelsOf(trade(1, 0, 1), levels)).toEqual({ stop: 95, target: expect.closeTo(110) });
  expect(levelsOf(trade(1, 0, 1, "short"), levels)).toEqual({ stop: 105, target: 90 });
});

it("finds the nearest mark within reach", () => {
  const spots = [
    { seq: 1, x: 0, y: 0 },
    { seq: 2, x: 6, y: 0 },
  ];
  expect(nearest(spots, 4, 0, 8)?.seq).toBe(2);
  expect(nearest(spots, 40, 0, 8)).toBeNull();
});
