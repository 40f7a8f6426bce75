import { expect, it } from "vitest";
import { DARK, LIGHT, MARKS, markOf, mixed, shade } from "./colours";

/** Relative luminance by WCAG 2.2. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(first: string, second: string): number {
  const [low, high] = [luminance(first), luminance(second)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

it("writes text with enough contrast in both themes", () => {
  for (const palette of [LIGHT, DARK]) {
    for (const colour of [palette.ink, palette.faint, palette.gain, palette.loss]) {
      expect(contrast(colour, palette.paper)).toBeGreaterThanOrEqual(4.5);
    }
  }
});

it("keeps text readable on the fullest shade", () => {
  for (const palette of [LIGHT, DARK]) {
    for (const value of [-1, 1]) {
      expect(contrast(palette.ink, shade(value, 1, palette))).toBeGreaterThanOrEqual(4.5);
    }
  }
});

it("draws curves and marks with the contrast that graphics need", () => {
  for (const palette of [LIGHT, DARK]) {
    for (const colour of [...palette.lines, palette.equity, palette.hold, palette.drawdown]) {
      expect(contrast(colour, palette.paper)).toBeGreaterThanOrEqual(3);
    }
  }
  for (const mark of Object.values(MARKS)) {
    expect(contrast(mark.light, LIGHT.paper)).toBeGreaterThanOrEqual(3);
    expect(contrast(mark.dark, DARK.paper)).toBeGreaterThanOrEqual(3);
  }
});

it("shades nothing at 0 and fully at the largest", () => {
  expect(shade(0, 1, LIGHT)).toBe(LIGHT.paper);
  expect(shade(5, 1, LIGHT)).toBe(shade(1, 1, LIGHT));
  expect(shade(-1, 1, LIGHT)).not.toBe(shade(1, 1, LIGHT));
});

it("mixes colours channel by channel", () => {
  expect(mixed("#000000", "#ffffff", 0.5)).toBe("#808080");
});

it("has a mark for a reason that it does not know", () => {
  expect(markOf("margin_call")).toMatchObject({ shape: "hexagon", label: "margin call" });
});
