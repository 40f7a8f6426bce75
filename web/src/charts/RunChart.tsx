import { ActionIcon, Loader, Text, Tooltip } from "@mantine/core";
import { ChevronLeft, ChevronRight, Maximize2, ZoomIn, ZoomOut } from "lucide-react";
import { type KeyboardEvent, memo, type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import { apiReturn } from "../apiReturn";
import { ProblemView } from "../components/ProblemView";
import { mayPass } from "../problem";
import { compact, percent, priceDigits } from "./axis";
import { CandleChart as Chart, type Reading, type Screen } from "./candleChart";
import { markOf, type Palette } from "./colours";
import styles from "./RunChart.module.css";
import { svgPath } from "./shapes";
import type { Span } from "./spans";
import type { Levels, TradeMark } from "./trades";
import { usePalette } from "./usePalette";

interface Props {
  label: string;
  whole: Span;
  candleSeconds: number;
  interval: string;
  levels: Levels;
  /** What a span shows; must be the same function while the run is the same */
  load: (span: Span) => Promise<Screen>;
  /** The trade to show; its times, if it is known already */
  trade: Pick<TradeMark, "seq" | "entryAt" | "exitAt"> | null;
  onTrade: (seq: number) => void;
  /** Called when the chart has been drawn first, or could not be */
  onDrawn: () => void;
  /** Further controls, such as a choice of instruments */
  children?: ReactNode;
}

const STEP = 0.25; // widths of the screen by key or button
const ZOOM = 0.6;

/** Candles with trades, equity against buy and hold, and drawdown. */
export default function RunChart(props: Props) {
  const { label, whole, candleSeconds, interval, levels, load, trade, children } = props;
  const palette = usePalette();
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | null>(null);
  const onTrade = useRef(props.onTrade);
  onTrade.current = props.onTrade;
  const onDrawn = useRef(props.onDrawn);
  onDrawn.current = props.onDrawn;
  const first = useRef({ palette, trade });
  first.current = { palette, trade };
  const read = useRef<(reading: Reading | null) => void>(() => undefined);
  const [screen, setScreen] = useState<Screen | null>(null);
  const [isBusy, setBusy] = useState(true);
  const [isDrawn, setDrawn] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const [tries, setTries] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `tries` opens the chart once more
  useEffect(() => {
    if (!box.current) return;
    const made = new Chart(box.current, {
      whole,
      candleSeconds,
      levels,
      palette: first.current.palette,
      load,
      onTrade: (seq) => onTrade.current(seq),
      onReading: (reading) => read.current(reading),
      onScreen: (shown) => {
        setScreen(shown);
        setFailure(null);
      },
      onBusy: setBusy,
      onError: setFailure,
    });
    chart.current = made;
    const wanted = first.current.trade;
    void made
      .open()
      .then(painted)
      .then(() => {
        performance.mark("mela:run-chart-drawn"); // measured by tests and benchmarks
        setDrawn(true);
        onDrawn.current();
        return wanted ? made.goTo(wanted) : undefined;
      });
    return () => {
      chart.current = null;
      made.destroy();
    };
  }, [whole, candleSeconds, levels, load, tries]);

  // Once Mela answers again, what could not be read is read: what is drawn stays until then.
  const isDrawnOnce = screen !== null;
  useEffect(() => {
    if (failure === null || !mayPass(failure)) return;
    return apiReturn.wait(() => {
      setFailure(null);
      if (isDrawnOnce) void chart.current?.move(0);
      else setTries((before) => before + 1);
    });
  }, [failure, isDrawnOnce]);

  useEffect(() => chart.current?.colour(palette), [palette]);

  useEffect(() => {
    if (trade) void chart.current?.goTo(trade);
    else chart.current?.select(null);
  }, [trade]);

  const press = (event: KeyboardEvent) => {
    const action = KEYS[event.key];
    if (action && chart.current) {
      event.preventDefault();
      void action(chart.current);
    }
  };

  return (
    <div>
      <div className={styles.bar}>
        {children}
        <Buttons act={(action) => chart.current && void action(chart.current)} />
        <Text size="xs" className="mela-muted" aria-live="polite">
          {screen && perPoint(screen, candleSeconds, interval)}
        </Text>
        {isBusy && <Loader size={14} aria-label="Loading candles" />}
      </div>
      <ReadingLine read={read} isShown={screen !== null} />
      {failure !== null && <ProblemView error={failure} onRetry={() => setTries(tries + 1)} />}
      <div className={styles.box}>
        <div
          ref={box}
          className={styles.canvas}
          role="application"
          aria-roledescription="chart"
          aria-label={`${label}. Arrow keys move, plus and minus zoom, Home shows all.`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it is moved by keys
          tabIndex={0}
          data-drawn={isDrawn}
          onKeyDown={press}
        />
      </div>
      <Legend screen={screen} palette={palette} />
    </div>
  );
}

/** Wait until what was changed is on the screen: the library draws in the next frame. */
function painted(): Promise<void> {
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
}

const KEYS: Record<string, (chart: Chart) => Promise<void>> = {
  ArrowLeft: (chart) => chart.move(-STEP),
  ArrowRight: (chart) => chart.move(STEP),
  "+": (chart) => chart.move(0, ZOOM),
  "=": (chart) => chart.move(0, ZOOM),
  "-": (chart) => chart.move(0, 1 / ZOOM),
  Home: (chart) => chart.showAll(),
};

const BUTTONS = [
  { name: "Earlier", Icon: ChevronLeft, key: "ArrowLeft" },
  { name: "Later", Icon: ChevronRight, key: "ArrowRight" },
  { name: "Zoom in", Icon: ZoomIn, key: "+" },
  { name: "Zoom out", Icon: ZoomOut, key: "-" },
  { name: "All of the run", Icon: Maximize2, key: "Home" },
] as const;

function Buttons({ act }: { act: (action: (chart: Chart) => Promise<void>) => void }) {
  return (
    <ActionIcon.Group>
      {BUTTONS.map(({ name, Icon, key }) => (
        <Tooltip key={name} label={name}>
          <ActionIcon
            variant="default"
            aria-label={name}
            onClick={() => {
              const action = KEYS[key];
              if (action) act(action);
            }}
          >
            <Icon size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      ))}
    </ActionIcon.Group>
  );
}

/** Say how many candles one of the chart's stands for. */
function perPoint(screen: Screen, candleSeconds: number, interval: string): string {
  const candles = Math.round(screen.secondsPerPoint / candleSeconds);
  return candles <= 1 ? `candles of ${interval}` : `each shown candle is ${candles} of ${interval}`;
}

interface ReadingProps {
  read: RefObject<(reading: Reading | null) => void>;
  isShown: boolean;
}

/** What is under the pointer; it alone is drawn anew when the pointer moves. */
function ReadingLine({ read, isShown }: ReadingProps) {
  const [reading, setReading] = useState<Reading | null>(null);
  useEffect(() => {
    read.current = setReading;
  }, [read]);
  if (!reading) {
    return (
      <div className={styles.reading}>
        {isShown ? "Point at a candle to read it; click a mark to see its trade." : ""}
      </div>
    );
  }
  const digits = priceDigits(reading.close);
  const prices = [
    ["O", reading.open],
    ["H", reading.high],
    ["L", reading.low],
    ["C", reading.close],
  ] as const;
  return (
    <div className={styles.reading}>
      <b>{reading.at}</b>
      {prices.map(([name, value]) => (
        <span key={name}>
          {name} <b>{value.toFixed(digits)}</b>
        </span>
      ))}
      <span>
        volume <b>{compact(reading.volume)}</b>
      </span>
      {reading.equity !== null && (
        <span>
          equity <b>{reading.equity.toFixed(2)}</b>
        </span>
      )}
      {reading.hold !== null && (
        <span>
          buy and hold <b>{reading.hold.toFixed(2)}</b>
        </span>
      )}
      {reading.drawdown !== null && (
        <span>
          drawdown <b>{percent(reading.drawdown, 2)}</b>
        </span>
      )}
    </div>
  );
}

/** What marks and lines mean, of those that are on the chart. */
const Legend = memo(function Legend({ screen, palette }: { screen: Screen | null; palette: Palette }) {
  if (!screen) return null;
  const kinds = new Set(screen.trades.flatMap((one) => [one.side, one.reason]));
  const lines = [
    { name: "equity", colour: palette.equity, style: "solid", isShown: screen.equity.t.length > 0 },
    {
      name: "buy and hold",
      colour: palette.hold,
      style: "dashed",
      isShown: screen.hold.v.some((v) => v !== null),
    },
    { name: "drawdown", colour: palette.drawdown, style: "solid", isShown: screen.drawdown.t.length > 0 },
  ] as const;
  return (
    <ul className={styles.legend} aria-label="Legend">
      {lines
        .filter((line) => line.isShown)
        .map((line) => (
          <li key={line.name}>
            <span
              className={styles.swatch}
              style={{ borderTopColor: line.colour, borderTopStyle: line.style }}
              aria-hidden
            />
            {line.name}
          </li>
        ))}
      {[...kinds].map((kind) => {
        const mark = markOf(kind);
        return (
          <li key={kind}>
            <svg width="13" height="13" viewBox="-1.3 -1.3 2.6 2.6" aria-hidden="true">
              <path d={svgPath(mark.shape)} fill={palette.isDark ? mark.dark : mark.light} />
            </svg>
            {mark.label}
          </li>
        );
      })}
    </ul>
  );
});
