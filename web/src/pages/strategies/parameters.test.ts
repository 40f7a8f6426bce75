import { expect, it } from "vitest";
import { parametersOf } from "./parameters";
import { fits } from "./StrategiesPage";

it("reads types, bounds and defaults from a schema", () => {
  const schema = {
    $defs: { Kind: { enum: ["sma", "ema"], type: "string" } },
    properties: {
      period: {
        type: "integer",
        minimum: 2,
        maximum: 9007199254740992,
        default: 20,
        description: "candles in the channel",
      },
      share: { anyOf: [{ type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }, { type: "null" }] },
      kind: { $ref: "#/$defs/Kind", default: "sma" },
    },
  };
  expect(parametersOf(schema, { period: 30 })).toEqual([
    {
      name: "period",
      type: "whole number",
      fallback: 30,
      bounds: "≥ 2",
      description: "candles in the channel",
    },
    { name: "share", type: "number or none", fallback: undefined, bounds: "> 0 and < 1", description: "" },
    { name: "kind", type: "sma | ema", fallback: "sma", bounds: "", description: "" },
  ]);
});

it("has no parameters without properties", () => {
  expect(parametersOf({}, {})).toEqual([]);
});

it("finds strategies by every word", () => {
  const row = { name: "sma_cross", summary: "Enter when means cross.", params: ["fast", "slow"] };
  expect(["", "sma", "cross fast", "MEANS"].every((text) => fits(row, text))).toBe(true);
  expect(fits(row, "sma rsi")).toBe(false);
});
