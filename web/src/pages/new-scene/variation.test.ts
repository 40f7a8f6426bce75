import { describe, expect, it } from "vitest";
import { edited, type Fields, read } from "./sceneText";
import {
  countOf,
  countRuns,
  editsFor,
  readList,
  readNumber,
  type Variation,
  variationOf,
  writeList,
} from "./variation";

const FAST = "strategy.params.fast";
const TEXT = "instruments: [a:X, a:Y]\nstrategy: {name: sma_cross, params: {fast: 20}}\n";

const sceneOf = (text: string) => read(text).scene as Fields;
const varied = (text: string, field: string, variation: Variation) =>
  edited(text, editsFor(sceneOf(text), field, variation));

describe("a parameter", () => {
  it.each<Variation>([
    { kind: "list", values: [5, 10, null] },
    { kind: "range", from: 5, to: 50, step: 5 },
    { kind: "draw", low: 2, high: 40, log: false, integer: true },
    { kind: "fixed", value: 7 },
  ])("comes back as it was set: $kind", (variation) => {
    expect(variationOf(sceneOf(varied(TEXT, FAST, variation)), FAST)).toEqual(variation);
  });

  it("varies or has a value, never both", () => {
    const text = varied(TEXT, FAST, { kind: "range", from: 5, to: 10, step: 5 });
    expect(sceneOf(text).strategy).toEqual({ name: "sma_cross" });
    expect(varied(text, FAST, { kind: "fixed", value: 20 })).toBe(TEXT);
  });

  it("ends the search with the last one that varied", () => {
    let text = varied(TEXT, FAST, { kind: "list", values: [1, 2] });
    text = varied(text, "exits.stop_loss", { kind: "list", values: [null, 0.05] });
    text = varied(text, FAST, { kind: "fixed", value: undefined });
    expect(sceneOf(text).search).toEqual({ space: { "exits.stop_loss": [null, 0.05] } });
    text = varied(text, "exits.stop_loss", { kind: "fixed", value: undefined });
    expect(sceneOf(text).search).toBeUndefined();
  });
});

describe("counting", () => {
  it("takes the end of a range in, also where steps are not exact", () => {
    expect(countOf({ kind: "range", from: 5, to: 50, step: 5 })).toBe(10);
    expect(countOf({ kind: "range", from: 0.1, to: 0.3, step: 0.1 })).toBe(3);
    expect(countOf({ kind: "range", from: 5, to: 4, step: 1 })).toBe(0);
    expect(countOf({ kind: "range", from: 5, to: 10, step: 0 })).toBe(0);
  });

  it("multiplies values and instruments", () => {
    let text = varied(TEXT, FAST, { kind: "range", from: 5, to: 50, step: 5 });
    text = varied(text, "exits.stop_loss", { kind: "list", values: [null, 0.05] });
    expect(countRuns(sceneOf(text))).toBe(40);
    expect(countRuns({ ...sceneOf(text), mode: "together" })).toBe(20);
  });

  it("takes the trials of a search that draws", () => {
    const search = { kind: "random", trials: 200, space: { [FAST]: { low: 1, high: 9 } } };
    expect(countRuns({ instruments: ["a:X"], search })).toBe(200);
    expect(countRuns({ instruments: ["a:X"], search: { space: search.space } })).toBeNull();
  });
});

describe("lists", () => {
  it("are read as people write them", () => {
    expect(readList("5, 10 20;30", true)).toEqual([5, 10, 20, 30]);
    expect(readList("none, 0.05, 5 %", false)).toBeNull();
    expect(readList("none, 0.05, 5%", false)).toEqual([null, 0.05, 0.05]);
  });

  it("refuse what is no number, and fractions of whole numbers", () => {
    expect(readList("5, x", true)).toBeNull();
    expect(readList("5.5", true)).toBeNull();
    expect(readList("", true)).toBeNull();
  });

  it("are written as they are read", () => {
    expect(readList(writeList([null, 0.05, 7]), false)).toEqual([null, 0.05, 7]);
  });
});

it("reads numbers, also per cent, and nothing else", () => {
  expect(readNumber(" 0.1 ")).toBe(0.1);
  expect(readNumber("0.07 %")).toBe(0.0007);
  expect(readNumber("−3")).toBe(-3);
  expect(readNumber("1e-3")).toBe(0.001);
  for (const text of ["", "x", "1x", "1,5", "%", "."]) expect(readNumber(text)).toBeNull();
});
