import { Select, Skeleton } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import type { TradeMark } from "../../charts/trades";
import type { RunDetail } from "../../client";
import { levelsOf, loadChart, screensOf, secondsOf, wholeOf } from "./screens";

const RunChart = lazy(loadChart);

interface Props {
  runKey: string;
  detail: RunDetail;
  instrument: string | undefined;
  onInstrument: (instrument: string) => void;
  trade: Pick<TradeMark, "seq" | "entryAt" | "exitAt"> | null;
  onTrade: (seq: number) => void;
  onDrawn: () => void;
}

/** The chart of a run; of several instruments, one at a time. */
export function ChartSection({ runKey, detail, instrument, onInstrument, trade, onTrade, onDrawn }: Props) {
  const client = useQueryClient();
  const { run } = detail;
  const shown = instrument ?? run.instruments[0];
  const isPortfolio = run.instruments.length > 1;
  const asked = isPortfolio ? shown : undefined;
  const load = useMemo(() => screensOf(client, runKey, run, asked), [client, runKey, run, asked]);
  const whole = useMemo(() => wholeOf(run), [run]);
  const levels = useMemo(() => levelsOf(run.terms), [run]);
  return (
    <Suspense fallback={<Skeleton height={560} />}>
      <RunChart
        label={`Candles of ${shown} with the trades of the run, equity and drawdown`}
        whole={whole}
        candleSeconds={secondsOf(run.interval)}
        interval={run.interval}
        levels={levels}
        load={load}
        trade={trade}
        onTrade={onTrade}
        onDrawn={onDrawn}
      >
        {isPortfolio && (
          <Select
            aria-label="Instrument on the chart"
            size="xs"
            w={190}
            data={[...run.instruments]}
            value={shown}
            allowDeselect={false}
            onChange={(value) => value && onInstrument(value)}
          />
        )}
      </RunChart>
    </Suspense>
  );
}
