import { expect, it } from "vitest";
import { levelsOf, runOpened, screenOf, secondsOf, tradesOf, wholeOf } from "./screens";

it("knows the length of candles", () => {
  expect(["1m", "15m", "4h", "1d", "1w"].map(secondsOf)).toEqual([60, 900, 14_400, 86_400, 604_800]);
  expect(() => secondsOf("soon")).toThrow("expected an interval");
});

it("takes stop and target from a run's terms", () => {
  expect(levelsOf({ exits: { stop_loss: 0.05, take_profit: null } })).toEqual({
    stopLoss: 0.05,
    takeProfit: null,
  });
  expect(levelsOf({})).toEqual({ stopLoss: null, takeProfit: null });
});

const marks = {
  has_curve: true,
  total: 1,
  is_thinned: false,
  seq: [4],
  entry_t: [3_600_000],
  exit_t: [7_200_000],
  side: [-1],
  entry_price: [100],
  exit_price: [90],
  pnl: [10],
  reason: ["signal"],
};

it("makes rows of columns, with seconds for milliseconds", () => {
  expect(tradesOf(marks)).toEqual([
    {
      seq: 4,
      side: "short",
      entryAt: 3_600,
      exitAt: 7_200,
      entryPrice: 100,
      exitPrice: 90,
      pnl: 10,
      reason: "signal",
    },
  ]);
});

it("says how much time a reduced candle stands for", () => {
  const span = wholeOf({ start: "1970-01-01T00:00:00Z", end: "1970-01-01T04:00:00Z" });
  const candles = { t: [0, 7_200_000], o: [1, 1], h: [2, 2], l: [0, 0], c: [1, 1], v: [5, 5] };
  const answer = {
    instrument: "binance:BTCUSDT",
    interval: "1h",
    start: "",
    end: "",
    total: 4,
    is_reduced: true,
    candles_per_point: 2,
    candles,
  };
  const equity = {
    has_curve: true,
    without_curve: null,
    total: 4,
    is_reduced: true,
    t: [0, 10_800_000],
    equity: [100, 110],
    drawdown: [0, -0.1],
    buy_and_hold: [100, null],
  };
  const screen = screenOf(span, 3_600, answer, equity, marks);
  expect(screen).toMatchObject({ from: 0, to: 14_400, secondsPerPoint: 7_200 });
  expect(screen.candles.t).toEqual([0, 7_200]);
  expect(screen.equity.t).toEqual([0, 10_800]);
});

it("knows the addresses of runs", () => {
  const key = "0123456789abcdef".repeat(4);
  expect(runOpened(`/runs/${key}`)).toBe(key);
  expect(runOpened("/runs/0123")).toBeNull();
  expect(runOpened(`/scenes/${key}`)).toBeNull();
});
