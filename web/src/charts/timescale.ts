/**
 * Between instants and places on a chart's time scale.
 *
 * A chart puts its points side by side whatever time lies between them; point i is drawn from
 * i - 0.5 to i + 0.5. Its time is the beginning of what it stands for.
 */

import { placeOf, type Span } from "./spans";

/**
 * Return where an instant is on the scale; beyond its ends the points go on at `secondsPerPoint`.
 *
 * times: ascending, not empty
 */
export function logicalOf(times: readonly number[], secondsPerPoint: number, at: number): number {
  const place = placeOf(times, at);
  const first = times[0] as number;
  if (place < 0) {
    return (at - first) / secondsPerPoint - 0.5;
  }
  const begin = times[place] as number;
  const end = times[place + 1] ?? begin + secondsPerPoint;
  return place + (at - begin) / (end - begin) - 0.5;
}

/** Return the instant at a place of the scale: the inverse of logicalOf. */
export function instantOf(times: readonly number[], secondsPerPoint: number, logical: number): number {
  const place = Math.floor(logical + 0.5);
  const part = logical + 0.5 - place;
  const last = times.length - 1;
  if (place < 0) {
    return (times[0] as number) + (logical + 0.5) * secondsPerPoint;
  }
  if (place >= last) {
    return (times[last] as number) + (logical + 0.5 - last) * secondsPerPoint;
  }
  const begin = times[place] as number;
  return begin + part * ((times[place + 1] as number) - begin);
}

/** Return the span between two places of the scale. */
export function spanOf(
  times: readonly number[],
  secondsPerPoint: number,
  logical: { from: number; to: number },
): Span {
  return {
    from: instantOf(times, secondsPerPoint, logical.from),
    to: instantOf(times, secondsPerPoint, logical.to),
  };
}
