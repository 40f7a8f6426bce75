import type { QueryClient } from "@tanstack/react-query";
import { patiently } from "../../apiReturn";
import type { Screen } from "../../charts/candleChart";
import { POINTS, type Span } from "../../charts/spans";
import type { Levels, TradeMark } from "../../charts/trades";
import type { RunCandles, RunEquity, RunQuestion, TradeMarks } from "../../client";
import {
  getCandlesOptions,
  getEquityOptions,
  getRunOptions,
  getTradeMarksOptions,
} from "../../client/@tanstack/react-query.gen";

const UNITS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 604_800,
  mo: 2_629_800,
};
const KEPT_MS = 300_000; // stored answers of a run do not change while somebody looks at it

/** Return the length of a candle, seconds: `15m` is 900. A month has its mean length. */
export function secondsOf(interval: string): number {
  const [, count, unit] = /^(\d+)(\D+)$/.exec(interval) ?? [];
  const seconds = Number(count) * (UNITS[unit ?? ""] ?? Number.NaN);
  if (!Number.isFinite(seconds)) throw new Error(`expected an interval such as 1h, but found ${interval}`);
  return seconds;
}

/** Return an instant of the API as seconds since 1970. */
export function secondsAt(instant: string): number {
  return Date.parse(instant) / 1000;
}

export function wholeOf(run: Pick<RunQuestion, "start" | "end">): Span {
  return { from: secondsAt(run.start), to: secondsAt(run.end) };
}

/** Return the stop and target that a run's terms give each trade; null where they give none. */
export function levelsOf(terms: Record<string, unknown>): Levels {
  const exits = (terms.exits ?? {}) as Record<string, unknown>;
  const fraction = (name: string) => (typeof exits[name] === "number" ? (exits[name] as number) : null);
  return { stopLoss: fraction("stop_loss"), takeProfit: fraction("take_profit") };
}

/** Return the questions for a span of a run. The whole run is asked for without start and end. */
export function questionsOf(runKey: string, instrument: string | undefined, span: Span | null) {
  const path = { run_key: runKey };
  const bounds = span && { start: instant(span.from), end: instant(span.to) };
  const query = { points: POINTS, ...bounds };
  return {
    candles: { ...getCandlesOptions({ path, query: { ...query, instrument } }), staleTime: KEPT_MS },
    equity: { ...getEquityOptions({ path, query }), staleTime: KEPT_MS },
    marks: { ...getTradeMarksOptions({ path, query: { ...query, instrument } }), staleTime: KEPT_MS },
  };
}

/** Load the code of the chart. */
export const loadChart = () => patiently(() => import("../../charts/RunChart"));

/** Return the run whose page an address opens; null where it opens another page. */
export function runOpened(pathname: string): string | null {
  return /^\/runs\/([0-9a-f]{64})$/.exec(pathname)?.[1] ?? null;
}

/** Ask for what the page of a run shows first, and for its code: nothing waits for another. */
export function prefetchRun(client: QueryClient, runKey: string): void {
  void loadChart();
  const asked = questionsOf(runKey, undefined, null);
  void client.prefetchQuery(getRunOptions({ path: { run_key: runKey } }));
  void client.prefetchQuery(asked.candles);
  void client.prefetchQuery(asked.equity);
  void client.prefetchQuery(asked.marks);
}

function instant(seconds: number): string {
  return new Date(Math.round(seconds) * 1000).toISOString();
}

/** Return what loads the screens of a run. */
export function screensOf(
  client: QueryClient,
  runKey: string,
  run: Pick<RunQuestion, "start" | "end" | "interval">,
  instrument: string | undefined,
): (span: Span) => Promise<Screen> {
  const whole = wholeOf(run);
  return async (span) => {
    const isWhole = span.from <= whole.from && span.to >= whole.to;
    const asked = questionsOf(runKey, instrument, isWhole ? null : span);
    const [candles, equity, marks] = await Promise.all([
      client.fetchQuery(asked.candles),
      client.fetchQuery(asked.equity),
      client.fetchQuery(asked.marks),
    ]);
    return screenOf(span, secondsOf(run.interval), candles, equity, marks);
  };
}

/** Return what a chart shows of three answers; candleSeconds: the length of a candle. */
export function screenOf(
  span: Span,
  candleSeconds: number,
  { candles, candles_per_point: perPoint }: RunCandles,
  equity: RunEquity,
  marks: TradeMarks,
): Screen {
  const times = equity.t.map(seconds);
  return {
    ...span,
    secondsPerPoint: candleSeconds * Math.max(perPoint, 1),
    candles: { ...candles, t: candles.t.map(seconds) },
    equity: { t: times, v: equity.equity },
    hold: { t: times, v: equity.buy_and_hold },
    drawdown: { t: times, v: equity.drawdown },
    trades: tradesOf(marks),
  };
}

function seconds(ms: number): number {
  return ms / 1000;
}

/** Return the rows of marks that came as columns. */
export function tradesOf(marks: TradeMarks): TradeMark[] {
  return marks.seq.map((seq, place) => ({
    seq,
    side: (marks.side[place] ?? 1) < 0 ? "short" : "long",
    entryAt: seconds(marks.entry_t[place] as number),
    exitAt: seconds(marks.exit_t[place] as number),
    entryPrice: marks.entry_price[place] as number,
    exitPrice: marks.exit_price[place] as number,
    pnl: marks.pnl[place] as number,
    reason: marks.reason[place] as string,
  }));
}
