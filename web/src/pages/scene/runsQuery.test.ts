import { expect, it } from "vitest";
import { readCondition, runLabel, said, shownMetrics, writeCondition } from "./runsQuery";

it("reads conditions as the address writes them, values with colons too", () => {
  for (const text of ["trades:ge:30", "instrument:eq:binance:BTCUSDT", "strategy.params.fast:lt:10"]) {
    const condition = readCondition(text);
    expect(condition && writeCondition(condition)).toBe(text);
  }
  for (const text of ["trades", "trades:ge", "trades:like:3", ":ge:3", "trades:ge:"]) {
    expect(readCondition(text)).toBeNull();
  }
});

it("says a condition in words", () => {
  expect(said({ name: "strategy.params.fast", op: "ge", value: "10" })).toBe("fast ≥ 10");
  expect(said({ name: "max_drawdown", op: "gt", value: "-0.2" })).toBe("Max drawdown > -0.2");
});

it("shows what ranks the runs first, once", () => {
  expect(shownMetrics(undefined, "sharpe")[0]).toBe("sharpe");
  expect(shownMetrics(undefined, "calmar").slice(0, 2)).toEqual(["calmar", "sharpe"]);
  expect(shownMetrics(undefined, "sharpe").filter((name) => name === "sharpe")).toHaveLength(1);
  expect(shownMetrics(["trades", "trades"], "sharpe")).toEqual(["trades"]);
});

it("names a run by what varies", () => {
  const varied = [
    { path: "strategy.params.fast", values: [1, 2] },
    { path: "exits.stop_loss", values: [null, 0.1] },
    { path: "instrument", values: ["a:X", "a:Y"] },
  ];
  const row = {
    params: { "strategy.params.fast": 1, "exits.stop_loss": null, instrument: "a:X" },
    instruments: ["a:X"],
  };
  expect(runLabel(row, varied)).toBe("a:X, fast 1, exits.stop_loss none");
  expect(runLabel({ params: {}, instruments: ["a:X"] }, [])).toBe("a:X");
});
