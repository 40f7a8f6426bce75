import { expect, it } from "vitest";
import { leavesOf } from "./terms";

it("lists leaves with their paths and leaves out what asks for nothing", () => {
  const terms = {
    cash: 10_000,
    exits: { stop_loss: 0.05, take_profit: null },
    list: [1, 2],
    portfolio: null,
  };
  expect(leavesOf(terms)).toEqual([
    { path: "cash", value: 10_000 },
    { path: "exits.stop_loss", value: 0.05 },
    { path: "list", value: [1, 2] },
  ]);
});
