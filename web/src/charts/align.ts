/**
 * Curves on the points of the candles above them.
 *
 * Panes of one chart share a time scale; a time that only one of them has would push the candles
 * apart. The server reduces candles and curves separately, so their points differ.
 */

/** Values at times, both oldest first; null where there is none. */
export interface Curve {
  t: readonly number[];
  v: readonly (number | null)[];
}

/**
 * Return the value that a curve has at the end of each bucket; null before its first.
 *
 * times: ascending, the beginnings of the buckets; the last one has no end.
 */
export function lastOfEach(times: readonly number[], curve: Curve): (number | null)[] {
  let next = 0;
  let known: number | null = null;
  return times.map((_, place) => {
    const end = times[place + 1] ?? Number.POSITIVE_INFINITY;
    while (next < curve.t.length && (curve.t[next] as number) < end) {
      known = curve.v[next] ?? known;
      next += 1;
    }
    return known;
  });
}

/** As lastOfEach, with the lowest value within each bucket, so that no fall is lost. */
export function lowestOfEach(times: readonly number[], curve: Curve): (number | null)[] {
  let next = 0;
  let known: number | null = null;
  return times.map((_, place) => {
    const end = times[place + 1] ?? Number.POSITIVE_INFINITY;
    let lowest: number | null = null;
    while (next < curve.t.length && (curve.t[next] as number) < end) {
      const value = curve.v[next] ?? null;
      if (value !== null) {
        known = value;
        lowest = lowest === null ? value : Math.min(lowest, value);
      }
      next += 1;
    }
    return lowest ?? known;
  });
}
