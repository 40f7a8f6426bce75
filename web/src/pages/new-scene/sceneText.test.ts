import { describe, expect, it } from "vitest";
import { at, edited, placeOf, read } from "./sceneText";

const TEXT = `# what the team asked on Monday
instruments: [binance:BTCUSDT]
interval: 1h # hourly
start: 2023-01-01T00:00:00Z
strategy: {name: sma_cross, params: {fast: 20}}
sizing:
  kind: risk # the form does not know this field
`;

describe("read", () => {
  it("gives the values, instants as text", () => {
    const { scene, faults } = read(TEXT);
    expect(faults).toEqual([]);
    expect(scene?.start).toBe("2023-01-01T00:00:00Z");
    expect(at(scene ?? {}, ["strategy", "params", "fast"])).toBe(20);
  });

  it("says where a text cannot be read", () => {
    const { scene, faults } = read("interval: [1h\nstart: x");
    expect(scene).toBeNull();
    expect(faults[0]?.from).toBeGreaterThan(0);
  });

  it("refuses what is no mapping", () => {
    expect(read("just words").scene).toBeNull();
    expect(read("").scene).toBeNull();
  });
});

describe("edited", () => {
  it("changes one field and keeps comments, order and unknown fields", () => {
    const text = edited(TEXT, [{ path: ["strategy", "params", "fast"], value: 5 }]);
    expect(text).toBe(TEXT.replace("fast: 20", "fast: 5"));
  });

  it("adds what is not there yet, and makes the maps that lead to it", () => {
    const text = edited(TEXT, [{ path: ["exits", "stop_loss"], value: 0.05 }]);
    expect(read(text).scene?.exits).toEqual({ stop_loss: 0.05 });
    expect(text).toContain("# hourly");
  });

  it("takes a field away, and maps that are empty then", () => {
    const once = edited(TEXT, [{ path: ["exits", "stop_loss"], value: 0.05 }]);
    expect(edited(once, [{ path: ["exits", "stop_loss"], value: undefined }])).toBe(TEXT);
    const text = edited(TEXT, [{ path: ["strategy", "params", "fast"], value: undefined }]);
    expect(read(text).scene?.strategy).toEqual({ name: "sma_cross" });
  });

  it("puts a field into what was null", () => {
    const text = edited("exits: null\n", [{ path: ["exits", "stop_loss"], value: 0.1 }]);
    expect(read(text).scene).toEqual({ exits: { stop_loss: 0.1 } });
  });

  it("leaves alone what cannot be read", () => {
    expect(edited("a: [1", [{ path: ["a"], value: 2 }])).toBe("a: [1");
  });
});

describe("placeOf", () => {
  it("finds the field of a fault", () => {
    const place = placeOf(TEXT, "strategy.params.fast");
    expect(TEXT.slice(place?.from, place?.to)).toBe("fast");
  });

  it("finds keys that hold dots, and else the nearest parent", () => {
    const text = "search:\n  space:\n    strategy.params.fast: [1]\n";
    const place = placeOf(text, "search.space.strategy.params.fast");
    expect(text.slice(place?.from, place?.to)).toBe("strategy.params.fast");
    const parent = placeOf(text, "search.trials");
    expect(text.slice(parent?.from, parent?.to)).toBe("search");
    expect(placeOf(text, null)).toBeNull();
  });
});
