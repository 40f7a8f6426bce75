/**
 * The colours and shapes of all charts.
 *
 * No pair that must be told apart differs in red and green only: gains are teal, losses orange, as in
 * theme.css, and each kind of fill has a shape of its own.
 */

export interface Palette {
  isDark: boolean;
  ink: string;
  faint: string;
  grid: string;
  paper: string;
  rising: string;
  falling: string;
  gain: string;
  loss: string;
  equity: string;
  hold: string;
  drawdown: string;
  missing: string;
  /** Behind white text: labels at a cursor */
  labels: string;
  /** For curves over each other; told apart by line style too, from the ninth on */
  lines: readonly string[];
}

export const LIGHT: Palette = {
  isDark: false,
  ink: "#22303c",
  faint: "#5a6875",
  grid: "#dde1e7",
  paper: "#ffffff",
  rising: "#4a9d8a",
  falling: "#d39a6a",
  gain: "#00715a",
  loss: "#b3400c",
  equity: "#1f5fbf",
  hold: "#98661a",
  drawdown: "#b83a2b",
  missing: "#d5dadf",
  labels: "#44525f",
  lines: ["#1f5fbf", "#b4540a", "#0e7a6b", "#8e44ad", "#7a6a00", "#9d174d", "#4d5a66", "#2f7fb0"],
};

export const DARK: Palette = {
  isDark: true,
  ink: "#e3e9ee",
  faint: "#9aa7b3",
  grid: "#343a43",
  paper: "#1c1f24",
  rising: "#3f9d86",
  falling: "#c0834f",
  gain: "#4cc9a5",
  loss: "#f2935c",
  equity: "#7aa9f0",
  hold: "#d8a24a",
  drawdown: "#f08a7b",
  missing: "#3a4651",
  labels: "#44525f",
  lines: ["#7aa9f0", "#f0a060", "#4fc3ae", "#c792e0", "#d6c34a", "#f07aa8", "#b3c0cc", "#8ecbe8"],
};

export function paletteOf(scheme: "light" | "dark"): Palette {
  return scheme === "dark" ? DARK : LIGHT;
}

export type Shape =
  | "triangle-up"
  | "triangle-down"
  | "circle"
  | "cross"
  | "star"
  | "plus"
  | "square"
  | "diamond"
  | "hexagon";

/** How the fills of a kind are marked, in words that a legend shows. */
export interface Mark {
  shape: Shape;
  light: string;
  dark: string;
  label: string;
}

export const MARKS: Readonly<Record<string, Mark>> = {
  long: { shape: "triangle-up", light: "#0b6e4f", dark: "#4fc3ae", label: "long entry" },
  short: { shape: "triangle-down", light: "#6c3baa", dark: "#c792e0", label: "short entry" },
  signal: { shape: "circle", light: "#3d4a57", dark: "#b3c0cc", label: "exit by signal" },
  stop_loss: { shape: "cross", light: "#c0392b", dark: "#f08a7b", label: "stop loss" },
  take_profit: { shape: "star", light: "#1f5fbf", dark: "#7aa9f0", label: "take profit" },
  trailing_stop: { shape: "plus", light: "#b4540a", dark: "#f0a060", label: "trailing stop" },
  time_stop: { shape: "square", light: "#5d6d7e", dark: "#a9b6c2", label: "time stop" },
  daily_loss: { shape: "diamond", light: "#8e1b5a", dark: "#f07aa8", label: "daily loss" },
  delisted: { shape: "cross", light: "#4d4d4d", dark: "#c8c8c8", label: "delisted" },
};

const OTHER: Mark = { shape: "hexagon", light: "#8d6e63", dark: "#cbb3a9", label: "other exit" };

/** Return how a kind of fill is marked: `long`, `short`, or the reason of an exit. */
export function markOf(kind: string): Mark {
  return MARKS[kind] ?? { ...OTHER, label: kind.replaceAll("_", " ") };
}

/**
 * Return the background of a gain or a loss: the paper at 0, full at the largest either way.
 *
 * largest: > 0, what full colour stands for
 */
export function shade(value: number, largest: number, palette: Palette): string {
  if (!Number.isFinite(value) || largest <= 0) {
    return palette.paper;
  }
  const part = Math.min(Math.abs(value) / largest, 1) * 0.55;
  return mixed(palette.paper, value < 0 ? palette.falling : palette.rising, part);
}

/** Return a colour between two: the first at 0, the second at 1. Both are `#rrggbb`. */
export function mixed(first: string, second: string, part: number): string {
  const channels = [1, 3, 5].map((at) => {
    const low = Number.parseInt(first.slice(at, at + 2), 16);
    const high = Number.parseInt(second.slice(at, at + 2), 16);
    return Math.round(low + part * (high - low))
      .toString(16)
      .padStart(2, "0");
  });
  return `#${channels.join("")}`;
}
