import { describe, expect, it } from "vitest";
import { LIGHT } from "../../charts/colours";
import type { Heatmap } from "../../client";
import { conditionsOf, placeNames, summary } from "./cells";
import { mapOption } from "./mapOption";
import { readCondition, said } from "./runsQuery";

const MAP: Heatmap = {
  x: "strategy.params.fast",
  y: "exits.stop_loss",
  metric: "sharpe",
  reduce: "max",
  x_values: [1, 6, 10],
  x_to: [5, 9, 10],
  y_values: [null, 0.03],
  y_to: [null, null],
  values: [
    [0.5, null, 2],
    [1, 3, -1],
  ],
  runs: [
    [5, 4, 1],
    [5, 4, 1],
  ],
};

describe("a cell", () => {
  it("of gathered values says which they are", () => {
    expect(placeNames(MAP, "x")).toEqual(["1 to 5", "6 to 9", "10"]);
    expect(placeNames(MAP, "y")).toEqual(["none", "0.03"]);
    const fine = { ...MAP, x_values: [0.0100000000001], x_to: [0.0468123456] };
    expect(placeNames(fine, "x")).toEqual(["0.01 to 0.04681"]);
    const { xAxis } = mapOption(MAP, "number", LIGHT, false) as { xAxis: { data: string[] } };
    expect(xAxis.data).toEqual(["1 to 5", "6 to 9", "10"]);
  });

  it("opens the runs of its range, and no others", () => {
    expect(conditionsOf(MAP, 1, 1)).toEqual([
      "strategy.params.fast:ge:6",
      "strategy.params.fast:le:9",
      "exits.stop_loss:eq:0.03",
    ]);
    expect(conditionsOf(MAP, 2, 1)).toEqual(["strategy.params.fast:eq:10", "exits.stop_loss:eq:0.03"]);
  });

  it("of what is not set opens those runs alone", () => {
    const where = conditionsOf(MAP, 0, 0);
    expect(where.at(-1)).toBe("exits.stop_loss:eq:null");
    const condition = readCondition(where.at(-1) ?? "");
    expect(condition && said(condition)).toContain("= none");
  });
});

describe("the words below a map", () => {
  it("name the range, and the best by the metric's direction", () => {
    expect(summary(MAP, "number", "higher")).toBe(
      "The best Sharpe ratio is 3.00, at fast 6 to 9 and exits.stop_loss 0.03.",
    );
    expect(summary({ ...MAP, metric: "volatility_ann" }, "number", "lower")).toContain(
      "is −1.00, at fast 10 and exits.stop_loss 0.03.",
    );
    expect(summary({ ...MAP, reduce: "median" }, "number", "higher")).toContain(
      "The best median of a cell's",
    );
    expect(summary({ ...MAP, values: [[null]] }, "number", "higher")).toBe("No run is measured yet.");
  });
});
