/** Which part of a run's candles a chart asks the server for while somebody pans and zooms. */

/** Seconds since 1970 in UTC; `from` included, `to` not. */
export interface Span {
  from: number;
  to: number;
}

/** What a chart has of a series: a span, and how many seconds one of its points stands for. */
export interface Loaded extends Span {
  secondsPerPoint: number;
}

/** How many points a chart asks for: a third of them are on the screen, the others beside it. */
export const POINTS = 1500;
const FEWEST_ON_SCREEN = 300;
const NEIGHBOURS = 1; // widths of the screen that are loaded on either side
const NEAR = 0.4; // widths of the screen that may be left on a side before more is asked for

export function width(span: Span): number {
  return span.to - span.from;
}

/** Return a span without what lies outside of another one. */
export function clipped(span: Span, whole: Span): Span {
  return { from: Math.max(span.from, whole.from), to: Math.min(span.to, whole.to) };
}

/**
 * Return the span to ask for, or null while what is loaded is good enough.
 *
 * whole: the run's span; candleSeconds: the length of its candles, the finest there is.
 * More is asked for when an edge of what is loaded comes near, and when too few points are on the
 * screen although the server has finer ones.
 */
export function spanToAsk(visible: Span, loaded: Loaded, whole: Span, candleSeconds: number): Span | null {
  const seen = clipped(visible, whole);
  const seconds = width(seen);
  if (seconds <= 0) {
    return null;
  }
  const margin = seconds * NEIGHBOURS;
  const asked = clipped({ from: seen.from - margin, to: seen.to + margin }, whole);
  const isNear =
    (loaded.from > whole.from && seen.from - loaded.from < seconds * NEAR) ||
    (loaded.to < whole.to && loaded.to - seen.to < seconds * NEAR);
  const finer = candleSeconds * Math.ceil(width(asked) / (candleSeconds * POINTS)); // as the server does
  const isCoarse =
    seconds / loaded.secondsPerPoint < FEWEST_ON_SCREEN && finer < loaded.secondsPerPoint / 1.5;
  return isNear || isCoarse ? asked : null;
}

/** Return a span around an instant, of a width, moved so that it stays within another one. */
export function around(at: number, seconds: number, whole: Span): Span {
  const most = Math.min(seconds, width(whole));
  const from = Math.min(Math.max(at - most / 2, whole.from), whole.to - most);
  return { from, to: from + most };
}

/**
 * Return the place of the last time that is not after an instant; -1 where all are after it.
 *
 * times: ascending
 */
export function placeOf(times: readonly number[], at: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) <= at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}
