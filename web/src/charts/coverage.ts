/** Coverage as calendars, one a year: days of candles that are there, and those that lack some. */

import type { EChartsOption } from "echarts";
import { mixed, type Palette } from "./colours";

export interface Day {
  /** YYYY-MM-DD, UTC */
  day: string;
  stored: number;
  expected: number;
}

const YEAR_HEIGHT = 118;
const TOP = 24;

export type Kind = "full" | "partial" | "missing" | "extra";

/** Return what a day is. */
export function kindOf(day: Day): Kind {
  if (day.stored === 0 && day.expected > 0) return "missing";
  if (day.stored < day.expected) return "partial";
  return day.stored > day.expected ? "extra" : "full";
}

export const WORDS: Readonly<Record<Kind, string>> = {
  full: "complete",
  partial: "candles missing",
  missing: "no candles",
  extra: "more than expected",
};

export function kindColours(palette: Palette): Readonly<Record<Kind, string>> {
  return {
    full: mixed(palette.paper, palette.equity, 0.55),
    partial: palette.falling,
    missing: palette.drawdown,
    extra: mixed(palette.paper, palette.ink, 0.55),
  };
}

/** Return the years of days, oldest first. */
export function yearsOf(days: readonly Day[]): string[] {
  return [...new Set(days.map((one) => one.day.slice(0, 4)))].sort();
}

const KINDS: readonly Kind[] = ["full", "partial", "missing", "extra"];
/** A day, the place of its kind, how many candles are stored, how many expected. */
type Shown = [string, number, number, number];

export function coverageHeight(years: number): number {
  return TOP + years * YEAR_HEIGHT;
}

/** Return a calendar for each year. days: only those on which candles are expected or stored. */
export function coverageOption(days: readonly Day[], palette: Palette, isSmall: boolean): EChartsOption {
  const years = yearsOf(days);
  const colours = kindColours(palette);
  return {
    tooltip: {
      formatter: (point) => {
        const [day, , stored, expected] = (point as unknown as { value: Shown }).value;
        return `${day}\n${stored} of ${expected} candles`;
      },
    },
    visualMap: {
      show: false,
      dimension: 1,
      pieces: KINDS.map((kind, value) => ({ value, color: colours[kind] })),
    },
    calendar: years.map((year, place) => ({
      range: year,
      top: TOP + place * YEAR_HEIGHT,
      left: isSmall ? 36 : 84,
      right: 8,
      cellSize: ["auto", 12],
      itemStyle: { color: palette.paper, borderColor: palette.grid, borderWidth: 0.5 },
      splitLine: { lineStyle: { color: palette.faint, width: 0.8 } },
      yearLabel: { show: true, margin: isSmall ? 20 : 54, color: palette.ink, fontSize: isSmall ? 11 : 13 },
      dayLabel: {
        show: !isSmall,
        firstDay: 1,
        color: palette.faint,
        nameMap: ["", "Mon", "", "Wed", "", "Fri", ""],
      },
      monthLabel: { show: place === 0, color: palette.faint, fontSize: 10 },
    })),
    series: years.map((year, place) => ({
      type: "heatmap",
      coordinateSystem: "calendar",
      calendarIndex: place,
      data: days
        .filter((one) => one.day.startsWith(year))
        .map((one): Shown => [one.day, KINDS.indexOf(kindOf(one)), one.stored, one.expected]),
    })),
  } as EChartsOption;
}
