/** Draw round trips over candles: entries, exits by their reason, the way between, stops and targets. */

import type {
  IChartApi,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesApi,
  ISeriesPrimitive,
  Logical,
  PrimitiveHoveredItem,
  SeriesAttachedParameter,
  Time,
} from "lightweight-charts";
import { markOf, type Palette } from "./colours";
import { trace } from "./shapes";
import { nearest, type PlacedTrade, type Spot } from "./trades";

const REACH = 9; // pixels from a mark in which the pointer finds it
const WAYS_UP_TO = 400; // trades on the screen whose ways and levels are drawn

/** Where a trade is on the screen, in pixels of CSS. */
interface Drawn {
  placed: PlacedTrade;
  entryX: number;
  exitX: number;
  entryY: number;
  exitY: number;
}

export class TradeMarks implements ISeriesPrimitive<Time>, IPrimitivePaneView, IPrimitivePaneRenderer {
  private chart: IChartApi | null = null;
  private series: ISeriesApi<"Candlestick"> | null = null;
  private redraw: () => void = () => undefined;
  private trades: readonly PlacedTrade[] = [];
  private selected: number | null = null;
  private drawn: Drawn[] = [];
  private spots: Spot[] = [];
  private readonly views = [this];

  constructor(private palette: Palette) {}

  attached({ chart, series, requestUpdate }: SeriesAttachedParameter<Time>): void {
    this.chart = chart as IChartApi;
    this.series = series as ISeriesApi<"Candlestick">;
    this.redraw = requestUpdate;
  }

  detached(): void {
    this.chart = null;
    this.series = null;
    this.redraw = () => undefined;
  }

  show(trades: readonly PlacedTrade[]): void {
    this.trades = trades;
    this.redraw();
  }

  select(seq: number | null): void {
    this.selected = seq;
    this.redraw();
  }

  colour(palette: Palette): void {
    this.palette = palette;
    this.redraw();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.views;
  }

  renderer(): IPrimitivePaneRenderer {
    return this;
  }

  zOrder(): "top" {
    return "top";
  }

  /** Find out where trades are; the library calls it whenever the view has moved. */
  updateAllViews(): void {
    const scale = this.chart?.timeScale();
    const seen = scale?.getVisibleLogicalRange();
    const series = this.series;
    this.drawn = [];
    this.spots = [];
    if (!scale || !seen || !series) {
      return;
    }
    for (const placed of this.trades) {
      if (placed.exit < seen.from - 1 || placed.entry > seen.to + 1) {
        continue;
      }
      const entryX = scale.logicalToCoordinate(placed.entry as Logical);
      const exitX = scale.logicalToCoordinate(placed.exit as Logical);
      const entryY = series.priceToCoordinate(placed.trade.entryPrice);
      const exitY = series.priceToCoordinate(placed.trade.exitPrice);
      if (entryX === null || exitX === null || entryY === null || exitY === null) {
        continue;
      }
      this.drawn.push({ placed, entryX, exitX, entryY, exitY });
      this.spots.push({ seq: placed.trade.seq, x: entryX, y: entryY });
      this.spots.push({ seq: placed.trade.seq, x: exitX, y: exitY });
    }
  }

  hitTest(x: number, y: number): PrimitiveHoveredItem | null {
    const spot = nearest(this.spots, x, y, REACH);
    return (
      spot && { externalId: `trade:${spot.seq}`, cursorStyle: "pointer", zOrder: "top", hitTestPriority: 2 }
    );
  }

  draw(target: Parameters<IPrimitivePaneRenderer["draw"]>[0]): void {
    // biome-ignore lint/correctness/useHookAtTopLevel: a method of the library, not a hook of React
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      context.save();
      const chosen = this.drawn.find((one) => one.placed.trade.seq === this.selected);
      if (chosen) {
        this.drawHeld(context, chosen, mediaSize.height);
      }
      if (this.drawn.length <= WAYS_UP_TO) {
        for (const one of this.drawn) {
          this.drawWay(context, one, one === chosen);
        }
      }
      const radius = this.drawn.length > WAYS_UP_TO ? 3.5 : 5;
      for (const one of this.drawn) {
        this.drawFills(context, one, one === chosen ? radius + 2 : radius);
      }
      context.restore();
    });
  }

  private drawHeld(context: CanvasRenderingContext2D, one: Drawn, height: number): void {
    context.globalAlpha = 0.1;
    context.fillStyle = this.palette.ink;
    const left = Math.min(one.entryX, one.exitX) - 2;
    context.fillRect(left, 0, Math.abs(one.exitX - one.entryX) + 4, height);
    context.globalAlpha = 1;
  }

  /** A solid way gained, a dashed one lost; levels are dotted. */
  private drawWay(context: CanvasRenderingContext2D, one: Drawn, isChosen: boolean): void {
    const { trade, stop, target } = one.placed;
    const isGain = trade.pnl > 0;
    context.strokeStyle = isGain ? this.palette.gain : this.palette.loss;
    context.lineWidth = isChosen ? 2.5 : 1.2;
    this.line(context, isGain ? [] : [5, 4], one.entryX, one.entryY, one.exitX, one.exitY);
    context.lineWidth = isChosen ? 1.5 : 1;
    for (const [level, kind] of [
      [stop, "stop_loss"],
      [target, "take_profit"],
    ] as const) {
      const y = level === null ? null : (this.series?.priceToCoordinate(level) ?? null);
      if (y !== null) {
        context.strokeStyle = this.colourOf(kind);
        this.line(context, [2, 3], one.entryX, y, Math.max(one.exitX, one.entryX + 3), y);
      }
    }
  }

  private line(
    context: CanvasRenderingContext2D,
    dashes: number[],
    ...[x, y, right, down]: [number, number, number, number]
  ): void {
    context.setLineDash(dashes);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(right, down);
    context.stroke();
  }

  private drawFills(context: CanvasRenderingContext2D, one: Drawn, radius: number): void {
    const { trade } = one.placed;
    context.setLineDash([]);
    context.lineWidth = 1;
    context.strokeStyle = this.palette.paper;
    for (const [kind, x, y] of [
      [trade.side, one.entryX, one.entryY],
      [trade.reason, one.exitX, one.exitY],
    ] as const) {
      trace(context, markOf(kind).shape, x, y, radius);
      context.fillStyle = this.colourOf(kind);
      context.fill();
      context.stroke();
    }
  }

  private colourOf(kind: string): string {
    const mark = markOf(kind);
    return this.palette.isDark ? mark.dark : mark.light;
  }
}
