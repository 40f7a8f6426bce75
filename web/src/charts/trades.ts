/** Round trips on a chart: where their fills are, and which one the pointer is at. */

import { placeOf } from "./spans";

/** A round trip. Instants in seconds since 1970, UTC; of the openings of the candles of its fills. */
export interface TradeMark {
  seq: number;
  side: "long" | "short";
  entryAt: number;
  exitAt: number;
  entryPrice: number;
  exitPrice: number;
  pnl: number;
  reason: string;
}

/** Levels that a run's terms give each trade, as fractions of its entry's price; null: none. */
export interface Levels {
  stopLoss: number | null;
  takeProfit: number | null;
}

/** A round trip at the points of a chart. */
export interface PlacedTrade {
  trade: TradeMark;
  entry: number;
  exit: number;
  stop: number | null;
  target: number | null;
}

/**
 * Return trades at the points that hold their fills, oldest entry first.
 *
 * times: ascending, the beginnings of the points; trades outside of [times[0], end) are left out
 * end: where the last point ends
 */
export function placed(
  trades: readonly TradeMark[],
  times: readonly number[],
  end: number,
  levels: Levels,
): PlacedTrade[] {
  const first = times[0];
  if (first === undefined) {
    return [];
  }
  return trades
    .filter((trade) => trade.exitAt >= first && trade.entryAt < end)
    .map((trade) => ({
      trade,
      entry: placeOf(times, trade.entryAt),
      exit: trade.exitAt >= end ? times.length : placeOf(times, trade.exitAt),
      ...levelsOf(trade, levels),
    }))
    .sort((one, other) => one.entry - other.entry || one.trade.seq - other.trade.seq);
}

/** Return the prices of a trade's stop and target; null where it has none. */
export function levelsOf(
  trade: Pick<TradeMark, "side" | "entryPrice">,
  levels: Levels,
): { stop: number | null; target: number | null } {
  const way = trade.side === "short" ? -1 : 1;
  return {
    stop: levels.stopLoss === null ? null : trade.entryPrice * (1 - way * levels.stopLoss),
    target: levels.takeProfit === null ? null : trade.entryPrice * (1 + way * levels.takeProfit),
  };
}

/** A mark on the screen, in pixels. */
export interface Spot {
  seq: number;
  x: number;
  y: number;
}

/** Return the mark nearest to a point of the screen, or null where none is within `reach` pixels. */
export function nearest(spots: readonly Spot[], x: number, y: number, reach: number): Spot | null {
  let best: Spot | null = null;
  let least = reach * reach;
  for (const spot of spots) {
    const distance = (spot.x - x) ** 2 + (spot.y - y) ** 2;
    if (distance <= least) {
      least = distance;
      best = spot;
    }
  }
  return best;
}
