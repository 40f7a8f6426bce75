/** Which values a parameter takes: one, some, steps, or draws from a range. */

import { at, type Edit, type Fields, type Json, type Value } from "./sceneText";

export type Variation =
  | { kind: "fixed"; value: Json | undefined }
  | { kind: "list"; values: Value[] }
  | { kind: "range"; from: number; to: number; step: number }
  | { kind: "draw"; low: number; high: number; log: boolean; integer: boolean };

const SPACE = ["search", "space"] as const;

/** Return the path of a field as the keys that lead to it: `strategy.params.fast`. */
export const keysOf = (field: string): string[] => field.split(".");

/** Return how a field of a scene varies. */
export function variationOf(scene: Fields, field: string): Variation {
  const asked = at(scene, [...SPACE, field]);
  if (Array.isArray(asked)) return { kind: "list", values: asked as Value[] };
  if (asked !== null && typeof asked === "object") {
    if ("low" in asked || "high" in asked) {
      return {
        kind: "draw",
        low: Number(asked.low),
        high: Number(asked.high),
        log: asked.log === true,
        integer: asked.integer === true,
      };
    }
    const step = asked.step === undefined ? 1 : Number(asked.step);
    return { kind: "range", from: Number(asked.from), to: Number(asked.to), step };
  }
  return { kind: "fixed", value: at(scene, keysOf(field)) };
}

/** Return the edits that make a field vary so. A field varies or has a value, never both. */
export function editsFor(scene: Fields, field: string, variation: Variation): Edit[] {
  const space = [...SPACE, field];
  if (variation.kind === "fixed") {
    const edits: Edit[] = [{ path: keysOf(field), value: variation.value }];
    if (at(scene, space) === undefined) return edits;
    const left = Object.keys((at(scene, SPACE) ?? {}) as object).filter((one) => one !== field);
    // A search without a space is none.
    return [
      ...edits,
      left.length === 0 ? { path: ["search"], value: undefined } : { path: space, value: undefined },
    ];
  }
  return [
    { path: keysOf(field), value: undefined },
    { path: space, value: spelled(variation) },
  ];
}

function spelled(variation: Exclude<Variation, { kind: "fixed" }>): Json {
  switch (variation.kind) {
    case "list":
      return variation.values;
    case "range":
      return { from: variation.from, to: variation.to, step: variation.step };
    case "draw": {
      const { low, high, log, integer } = variation;
      return { low, high, ...(log && { log }), ...(integer && { integer }) };
    }
  }
}

/** Return how many values a field takes; null where a range has no end of them. */
export function countOf(variation: Variation): number | null {
  switch (variation.kind) {
    case "fixed":
      return 1;
    case "list":
      return variation.values.length;
    case "range": {
      const { from, to, step } = variation;
      if (!(step > 0) || !(to >= from)) return 0;
      // As Mela counts: a last step that misses the end by rounding only belongs to the range.
      return Math.floor((to - from) / step + 1e-9) + 1;
    }
    case "draw":
      return null;
  }
}

/**
 * Return how many runs a scene asks for, as far as a page can know: the product of the values, for each
 * instrument. Combinations that the strategy does not accept, and windows of a walk-forward, are not
 * known here. null where it cannot be told.
 */
export function countRuns(scene: Fields): number | null {
  const instruments = Array.isArray(scene.instruments) ? scene.instruments.length : 0;
  const each = scene.mode === "together" ? Math.min(instruments, 1) : instruments;
  const trials = at(scene, ["search", "trials"]);
  if (typeof trials === "number") return trials * each;
  const space = at(scene, SPACE);
  let count = each;
  for (const field of Object.keys((space ?? {}) as object)) {
    const values = countOf(variationOf(scene, field));
    if (values === null) return null;
    count *= values;
  }
  return count;
}

/** Read values that are separated by commas or blanks: `5, 10 20`; null for a word that is none. */
export function readList(text: string, isWhole: boolean): Value[] | null {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  const values: Value[] = [];
  for (const word of words) {
    if (word === "none" || word === "null") {
      values.push(null);
      continue;
    }
    const value = readNumber(word);
    if (value === null || (isWhole && !Number.isInteger(value))) return null;
    values.push(value);
  }
  return values.length > 0 ? values : null;
}

/** Write values as `readList` reads them. */
export function writeList(values: readonly Value[]): string {
  return values.map((value) => (value === null ? "none" : String(value))).join(", ");
}

/** Read a number, also as per cent: `5 %` is 0.05; null for anything else. */
export function readNumber(text: string): number | null {
  const found = /^\s*([-+−]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(%?)\s*$/i.exec(text);
  if (!found?.[1]) return null;
  const value = Number(found[1].replace("−", "-"));
  return found[2] ? Number((value / 100).toPrecision(12)) : value;
}
