import { expect, it } from "vitest";
import { fieldsOf } from "./schema";

const SCHEMA = {
  properties: {
    period: {
      type: "integer",
      default: 14,
      description: "candles in the range",
      ge: -9007199254740992,
      minimum: 2,
      maximum: 10000,
    },
    lower: { type: "number", default: 30, exclusiveMinimum: 0, exclusiveMaximum: 100 },
    votes: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null },
    rule: { type: "string", enum: ["all", "any"], default: "all" },
    model: { type: "string", examples: ["models:/first@champion"] },
    parts: { type: "array" },
  },
  required: ["parts"],
};

it("names kind, bounds and default of each parameter, in order", () => {
  const [period, lower, votes, rule, model, parts] = fieldsOf(SCHEMA);
  expect(period).toMatchObject({ name: "period", kind: "integer", default: 14, bounds: "2 to 10000" });
  expect(lower).toMatchObject({ kind: "number", bounds: "above 0, below 100", isRequired: false });
  expect(votes).toMatchObject({ kind: "integer", canBeNull: true, bounds: "at least 1" });
  expect(rule).toMatchObject({ kind: "choice", options: ["all", "any"] });
  expect(model).toMatchObject({ kind: "text", example: "models:/first@champion" });
  expect(parts).toMatchObject({ kind: "other", isRequired: true });
});

it("has no fields where there is nothing to choose", () => {
  expect(fieldsOf({ properties: {} })).toEqual([]);
  expect(fieldsOf({})).toEqual([]);
});
