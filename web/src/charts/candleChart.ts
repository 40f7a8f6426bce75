/**
 * The chart of a run: candles with its trades, equity against buy and hold, drawdown; one time scale.
 *
 * The chart holds at most three screens of points. It asks for the next ones before they are needed
 * and keeps what is on the screen where it is when they come.
 */

import {
  AreaSeries,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  LineSeries,
  LineStyle,
  type MouseEventParams,
  type UTCTimestamp,
} from "lightweight-charts";
import { type Curve, lastOfEach, lowestOfEach } from "./align";
import { compact, instantText, percent, priceDigits, tickText } from "./axis";
import type { Palette } from "./colours";
import { fitPaper } from "./paper";
import { around, type Loaded, type Span, spanToAsk } from "./spans";
import { logicalOf, spanOf } from "./timescale";
import { TradeMarks } from "./tradeMarks";
import { type Levels, placed, type TradeMark } from "./trades";

/** Candles as columns; times in seconds since 1970, UTC. */
export interface Candles {
  t: number[];
  o: number[];
  h: number[];
  l: number[];
  c: number[];
  v: number[];
}

/** What a chart shows of a span. secondsPerPoint: what one candle of it stands for. */
export interface Screen extends Loaded {
  candles: Candles;
  equity: Curve;
  hold: Curve;
  drawdown: Curve;
  trades: TradeMark[];
}

/** What is under the pointer. */
export interface Reading {
  at: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  equity: number | null;
  hold: number | null;
  drawdown: number | null;
}

export interface CandleChartOptions {
  whole: Span;
  /** The length of a candle, seconds */
  candleSeconds: number;
  levels: Levels;
  palette: Palette;
  load: (span: Span) => Promise<Screen>;
  onTrade: (seq: number) => void;
  onReading: (reading: Reading | null) => void;
  onScreen: (screen: Screen) => void;
  onBusy: (isBusy: boolean) => void;
  onError: (error: unknown) => void;
}

const SETTLED_MS = 120; // the view has not moved for so long: ask for what it lacks
const TRADE_WIDTH = 6; // widths of a trade that are on the screen after a jump to it
const FEWEST_CANDLES = 60; // on the screen after a jump

export class CandleChart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly equity: ISeriesApi<"Line">;
  private readonly hold: ISeriesApi<"Line">;
  private readonly drawdown: ISeriesApi<"Area">;
  private readonly marks: TradeMarks;
  private screen: Screen | null = null;
  private aligned: {
    equity: (number | null)[];
    hold: (number | null)[];
    drawdown: (number | null)[];
  } | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = 0;
  private isHeld = false;
  private waiting: { screen: Screen; view: Span | null } | null = null;
  private readonly gone = new AbortController();

  constructor(
    private readonly box: HTMLElement,
    private options: CandleChartOptions,
  ) {
    this.chart = createChart(box, {
      autoSize: true,
      layout: { attributionLogo: false, panes: { enableResize: true } },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { minBarSpacing: 0.2, timeVisible: true, rightOffset: 0, tickMarkFormatter: tickText },
      rightPriceScale: { minimumWidth: 72 },
      handleScale: { axisPressedMouseMove: { time: true, price: false } },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      priceLineVisible: false,
      lastValueVisible: false,
    });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.88, bottom: 0 } });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.14 } });
    const line = { lineWidth: 2, priceLineVisible: false, lastValueVisible: false } as const;
    const money = { type: "custom", formatter: compact, minMove: 0.01 } as const;
    this.hold = this.chart.addSeries(
      LineSeries,
      { ...line, lineStyle: LineStyle.Dashed, priceFormat: money },
      1,
    );
    this.equity = this.chart.addSeries(LineSeries, { ...line, priceFormat: money }, 1);
    this.drawdown = this.chart.addSeries(
      AreaSeries,
      {
        ...line,
        lineWidth: 1,
        invertFilledArea: true,
        priceFormat: { type: "custom", formatter: (value: number) => percent(value), minMove: 0.0001 },
      },
      2,
    );
    this.marks = new TradeMarks(options.palette);
    this.candles.attachPrimitive(this.marks);
    for (const [place, factor] of [5, 2.2, 1.4].entries()) {
      this.chart.panes()[place]?.setStretchFactor(factor);
    }
    this.colour(options.palette);
    this.listen();
  }

  /** Load the whole run and show it. */
  async open(): Promise<void> {
    await this.ask(this.options.whole, this.options.whole);
  }

  /** Show a trade in the middle, with what lies around it. */
  async goTo(trade: Pick<TradeMark, "seq" | "entryAt" | "exitAt">): Promise<void> {
    this.marks.select(trade.seq);
    const least = FEWEST_CANDLES * this.options.candleSeconds;
    const seconds = Math.max((trade.exitAt - trade.entryAt) * TRADE_WIDTH, least);
    const view = around((trade.entryAt + trade.exitAt) / 2, seconds, this.options.whole);
    await this.look(view);
  }

  /** Show the whole run. */
  async showAll(): Promise<void> {
    await this.look(this.options.whole);
  }

  /** Move the view by widths of the screen, or make it wider by a factor around its middle. */
  async move(widths: number, factor = 1): Promise<void> {
    const view = this.view();
    if (view) {
      const seconds = (view.to - view.from) * factor;
      const middle = (view.from + view.to) / 2 + widths * (view.to - view.from);
      await this.look(around(middle, Math.max(seconds, 10 * this.options.candleSeconds), this.options.whole));
    }
  }

  /** Return the span on the screen; null before anything is shown. */
  view(): Span | null {
    const logical = this.chart.timeScale().getVisibleLogicalRange();
    return this.screen && logical
      ? spanOf(this.screen.candles.t, this.screen.secondsPerPoint, logical)
      : null;
  }

  colour(palette: Palette): void {
    this.options = { ...this.options, palette };
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: palette.paper },
        textColor: palette.faint,
        fontFamily: getComputedStyle(this.box).fontFamily,
        fontSize: 11,
        panes: { separatorColor: palette.grid, separatorHoverColor: `${palette.faint}33` },
      },
      grid: { vertLines: { color: palette.grid }, horzLines: { color: palette.grid } },
      rightPriceScale: { borderColor: palette.grid },
      timeScale: { borderColor: palette.grid },
      crosshair: {
        vertLine: { color: palette.faint, labelBackgroundColor: palette.labels },
        horzLine: { color: palette.faint, labelBackgroundColor: palette.labels },
      },
    });
    this.candles.applyOptions({
      upColor: palette.paper,
      downColor: palette.falling,
      borderUpColor: palette.rising,
      borderDownColor: palette.falling,
      wickUpColor: palette.rising,
      wickDownColor: palette.falling,
    });
    this.volume.applyOptions({ color: `${palette.faint}55` });
    this.equity.applyOptions({ color: palette.equity });
    this.hold.applyOptions({ color: palette.hold });
    this.drawdown.applyOptions({
      lineColor: palette.drawdown,
      topColor: `${palette.drawdown}55`,
      bottomColor: `${palette.drawdown}22`,
    });
    this.marks.colour(palette);
  }

  select(seq: number | null): void {
    this.marks.select(seq);
  }

  destroy(): void {
    this.gone.abort();
    clearTimeout(this.timer);
    this.chart.remove();
  }

  private listen(): void {
    const until = { signal: this.gone.signal };
    this.box.addEventListener("pointerdown", this.press, until);
    window.addEventListener("pointerup", this.release, until);
    window.addEventListener("pointercancel", this.release, until);
    fitPaper(this.chart, this.gone.signal);
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.settle());
    this.chart.subscribeCrosshairMove((event) => this.read(event));
    this.chart.subscribeClick((event) => {
      const id = event.hoveredInfo?.objectId ?? event.hoveredObjectId;
      if (typeof id === "string" && id.startsWith("trade:")) {
        this.options.onTrade(Number(id.slice("trade:".length)));
      }
    });
  }

  // While somebody drags, the library computes the view from where the drag began: new points wait.
  private readonly press = () => {
    this.isHeld = true;
  };

  private readonly release = () => {
    this.isHeld = false;
    if (this.waiting) {
      const { screen, view } = this.waiting;
      this.waiting = null;
      this.show(screen, view);
    }
  };

  private settle(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const view = this.view();
      if (this.screen && view) {
        const span = spanToAsk(view, this.screen, this.options.whole, this.options.candleSeconds);
        if (span) {
          void this.ask(span, null);
        }
      }
    }, SETTLED_MS);
  }

  /** Move the view, loading first what it lacks. */
  private async look(view: Span): Promise<void> {
    if (!this.screen) {
      return;
    }
    // What is there already is shown at once, so that keys pressed one after another add up.
    const isThere = view.from < this.screen.to && view.to > this.screen.from;
    if (isThere) {
      this.setView(view);
    }
    const span = spanToAsk(view, this.screen, this.options.whole, this.options.candleSeconds);
    if (span) {
      await this.ask(span, isThere ? null : view);
    } else {
      this.setView(view);
    }
  }

  /** Load a span and show it. view: where to look then; null: where one looks at that moment. */
  private async ask(span: Span, view: Span | null): Promise<void> {
    this.asked += 1;
    const number = this.asked;
    this.options.onBusy(true);
    try {
      const screen = await this.options.load(span);
      if (number !== this.asked || this.gone.signal.aborted) {
        return; // a newer question is on its way
      }
      if (this.isHeld && view === null) {
        this.waiting = { screen, view };
      } else {
        this.show(screen, view);
      }
    } catch (error) {
      if (number === this.asked && !this.gone.signal.aborted) {
        this.options.onError(error);
      }
    } finally {
      if (number === this.asked && !this.gone.signal.aborted) {
        this.options.onBusy(false);
      }
    }
  }

  private show(screen: Screen, view: Span | null): void {
    const seen = view ?? this.view();
    const { t, o, h, l, c, v } = screen.candles;
    const times = t as UTCTimestamp[];
    this.screen = screen;
    this.aligned = {
      equity: lastOfEach(t, screen.equity),
      hold: lastOfEach(t, screen.hold),
      drawdown: lowestOfEach(t, screen.drawdown),
    };
    const digits = priceDigits(c[c.length - 1] ?? 0);
    this.candles.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
    this.candles.setData(
      times.map((time, place) => ({
        time,
        open: o[place] as number,
        high: h[place] as number,
        low: l[place] as number,
        close: c[place] as number,
      })),
    );
    this.volume.setData(times.map((time, place) => ({ time, value: v[place] as number })));
    if (screen.equity.t.length === 0 && this.chart.panes().length > 1) {
      for (const series of [this.hold, this.equity, this.drawdown]) {
        series.moveToPane(0); // a pane without series goes away
      }
    }
    const { equity, hold, drawdown } = this.aligned;
    for (const [series, values] of [
      [this.equity, equity],
      [this.hold, hold],
      [this.drawdown, drawdown],
    ] as const) {
      series.setData(
        times.map((time, place) => {
          const value = values[place];
          return value === null || value === undefined ? { time } : { time, value };
        }),
      );
    }
    this.marks.show(placed(screen.trades, t, screen.to, this.options.levels));
    if (seen) {
      this.setView(seen);
    }
    this.options.onScreen(screen);
  }

  private setView(view: Span): void {
    if (this.screen && this.screen.candles.t.length > 0) {
      const { candles, secondsPerPoint } = this.screen;
      this.chart.timeScale().setVisibleLogicalRange({
        from: logicalOf(candles.t, secondsPerPoint, view.from),
        to: logicalOf(candles.t, secondsPerPoint, view.to),
      });
    }
  }

  private read(event: MouseEventParams): void {
    const place = event.logical === undefined ? -1 : Math.round(event.logical);
    const screen = this.screen;
    if (!screen || !this.aligned || place < 0 || place >= screen.candles.t.length) {
      this.options.onReading(null);
      return;
    }
    const { t, o, h, l, c, v } = screen.candles;
    this.options.onReading({
      at: `${instantText(t[place] as number, screen.secondsPerPoint)} UTC`,
      open: o[place] as number,
      high: h[place] as number,
      low: l[place] as number,
      close: c[place] as number,
      volume: v[place] as number,
      equity: this.aligned.equity[place] ?? null,
      hold: this.aligned.hold[place] ?? null,
      drawdown: this.aligned.drawdown[place] ?? null,
    });
  }
}
