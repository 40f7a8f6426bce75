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

/** From a point to another, in pixels: x, y, x, y. */
type Line = [number, number, number, number];

const LEVEL_KINDS = { stop: "stop_loss", target: "take_profit" } as const;

function wayOf(one: Drawn): Line {
  return [one.entryX, one.entryY, one.exitX, one.exitY];
}

function put(spots: Map<string, [number, number][]>, kind: string, spot: [number, number]): void {
  const known = spots.get(kind);
  if (known) {
    known.push(spot);
  } else {
    spots.set(kind, [spot]);
  }
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
      const isSparse = this.drawn.length <= WAYS_UP_TO;
      if (chosen) {
        this.drawHeld(context, chosen, mediaSize.height);
      }
      if (isSparse) {
        this.drawWays(context);
      }
      this.drawFills(context, this.drawn, isSparse ? 5 : 3.5, isSparse);
      if (chosen) {
        this.drawChosen(context, chosen);
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

  /** A solid way gained, a dashed one lost; stops and targets are dotted. One stroke for each kind. */
  private drawWays(context: CanvasRenderingContext2D): void {
    context.lineWidth = 1.2;
    for (const isGain of [true, false]) {
      const ways = this.drawn.filter(({ placed }) => placed.trade.pnl > 0 === isGain);
      this.strokeLines(
        context,
        isGain ? this.palette.gain : this.palette.loss,
        isGain ? [] : [5, 4],
        ways.map(wayOf),
      );
    }
    context.lineWidth = 1;
    for (const kind of ["stop", "target"] as const) {
      const lines = this.drawn.flatMap((one) => this.levelOf(one, kind));
      this.strokeLines(context, this.colourOf(LEVEL_KINDS[kind]), [2, 3], lines);
    }
  }

  private drawChosen(context: CanvasRenderingContext2D, one: Drawn): void {
    const isGain = one.placed.trade.pnl > 0;
    context.lineWidth = 2.5;
    this.strokeLines(context, isGain ? this.palette.gain : this.palette.loss, isGain ? [] : [5, 4], [
      wayOf(one),
    ]);
    context.lineWidth = 1.6;
    for (const kind of ["stop", "target"] as const) {
      this.strokeLines(context, this.colourOf(LEVEL_KINDS[kind]), [2, 3], this.levelOf(one, kind));
    }
    this.drawFills(context, [one], 7, true);
  }

  private levelOf(one: Drawn, kind: "stop" | "target"): Line[] {
    const price = one.placed[kind];
    const y = price === null ? null : (this.series?.priceToCoordinate(price) ?? null);
    return y === null ? [] : [[one.entryX, y, Math.max(one.exitX, one.entryX + 3), y]];
  }

  private strokeLines(
    context: CanvasRenderingContext2D,
    colour: string,
    dashes: number[],
    lines: Line[],
  ): void {
    context.strokeStyle = colour;
    context.setLineDash(dashes);
    context.beginPath();
    for (const [x, y, right, down] of lines) {
      context.moveTo(x, y);
      context.lineTo(right, down);
    }
    context.stroke();
  }

  /** Draw all fills of a kind as one path: a path for each of thousands would take too long. */
  private drawFills(
    context: CanvasRenderingContext2D,
    drawn: readonly Drawn[],
    radius: number,
    isOutlined: boolean,
  ) {
    const spots = new Map<string, [number, number][]>();
    for (const { placed, entryX, entryY, exitX, exitY } of drawn) {
      put(spots, placed.trade.side, [entryX, entryY]);
      put(spots, placed.trade.reason, [exitX, exitY]);
    }
    context.setLineDash([]);
    context.lineWidth = 1;
    context.strokeStyle = this.palette.paper;
    for (const [kind, points] of spots) {
      context.beginPath();
      for (const [x, y] of points) {
        trace(context, markOf(kind).shape, x, y, radius);
      }
      context.fillStyle = this.colourOf(kind);
      context.fill();
      if (isOutlined) {
        context.stroke();
      }
    }
  }

  private colourOf(kind: string): string {
    const mark = markOf(kind);
    return this.palette.isDark ? mark.dark : mark.light;
  }
}
