import { Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useState } from "react";
import type { RunDetail, TradeRow } from "../../client";
import { getRunOptions, listTradesOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { PageLoading } from "../../components/PageLoading";
import { InMoney, Panel } from "../../components/Panel";
import { may, useMe } from "../../session";
import { AllMetrics } from "./AllMetrics";
import { Analysis } from "./Analysis";
import { ChartSection } from "./ChartSection";
import { Heading } from "./Heading";
import { Lineage } from "./Lineage";
import { SelectedTrade } from "./SelectedTrade";
import { secondsAt } from "./screens";
import { Terms } from "./Terms";
import { Tiles } from "./Tiles";
import { TradesTable } from "./TradesTable";
import { Warnings } from "./Warnings";

const route = getRouteApi("/inside/runs/$runKey");

/** A run: its candles and trades, its numbers, where they come from, what is wrong with them. */
export default function RunPage() {
  const { runKey } = route.useParams();
  const found = useQuery(getRunOptions({ path: { run_key: runKey } }));

  if (!hasAnswer(found)) return <Unanswered to={found} what="This run" />;
  const { data } = found;
  return <Shown key={runKey} runKey={runKey} detail={data} />;
}

function Shown({ runKey, detail }: { runKey: string; detail: RunDetail }) {
  const me = useMe();
  const navigate = useNavigate();
  const search = route.useSearch();
  const [instrument, setInstrument] = useState<string>();
  // What stands below the chart waits for it: both at once would take longer for what one looks at.
  const [isDrawn, setDrawn] = useState(false);
  const wanted = search.trade ?? null;
  const [picked, setPicked] = useState<TradeRow | null>(null);
  const asked = useQuery({
    ...listTradesOptions({ path: { run_key: runKey }, query: { from_seq: wanted ?? 0, limit: 1 } }),
    enabled: wanted !== null && picked?.seq !== wanted,
    staleTime: 300_000,
  });
  const found = asked.data?.items[0];
  const trade = picked?.seq === wanted ? picked : found?.seq === wanted ? found : null;

  const goTo = useCallback(
    (seq: number | null) =>
      void navigate({
        to: "/runs/$runKey",
        params: { runKey },
        search: { trade: seq ?? undefined },
        replace: true,
        resetScroll: false,
      }),
    [navigate, runKey],
  );
  const pick = useCallback(
    (row: TradeRow) => {
      setPicked(row);
      goTo(row.seq);
      document.getElementById("chart")?.scrollIntoView({ block: "nearest" });
    },
    [goTo],
  );
  const onChart = useMemo(
    () => trade && { seq: trade.seq, entryAt: secondsAt(trade.entry_at), exitAt: secondsAt(trade.exit_at) },
    [trade],
  );
  const isPortfolio = detail.run.instruments.length > 1;
  useEffect(() => {
    if (isPortfolio && trade) setInstrument(trade.instrument);
  }, [isPortfolio, trade]);

  return (
    <Stack gap="md">
      <title>{`${detail.run.strategy} on ${detail.run.instruments.join(", ")} · Mela`}</title>
      <Heading detail={detail} canAsk={may(me, "trader")} />
      <Warnings detail={detail} />
      {hasMetrics(detail) && (
        <Tiles metrics={detail.result.metrics} benchmark={detail.benchmark} quote={detail.quote} />
      )}
      <div id="chart" style={{ scrollMarginTop: "var(--mela-header)" }}>
        <Panel title="Chart">
          <ChartSection
            runKey={runKey}
            detail={detail}
            instrument={instrument}
            onInstrument={setInstrument}
            trade={onChart}
            onTrade={goTo}
            onDrawn={() => setDrawn(true)}
          />
        </Panel>
      </div>
      {trade && <SelectedTrade trade={trade} total={detail.trades ?? 0} onSeq={goTo} />}
      {isDrawn ? <Below runKey={runKey} detail={detail} selected={wanted} onTrade={pick} /> : <PageLoading />}
    </Stack>
  );
}

/** Tell whether a run gave any number: one that failed gave none, and dashes would hide its error. */
function hasMetrics(detail: RunDetail): boolean {
  return Object.values(detail.result.metrics).some((value) => value !== null && value !== undefined);
}

interface BelowProps {
  runKey: string;
  detail: RunDetail;
  selected: number | null;
  onTrade: (trade: TradeRow) => void;
}

function Below({ runKey, detail, selected, onTrade }: BelowProps) {
  return (
    <>
      {hasMetrics(detail) && (
        <>
          <Panel title="Trades" aside={<InMoney quote={detail.quote} />}>
            <TradesTable
              runKey={runKey}
              isPortfolio={detail.run.instruments.length > 1}
              selected={selected}
              onTrade={onTrade}
            />
          </Panel>
          <Analysis runKey={runKey} quote={detail.quote} />
          <Panel title="All metrics">
            <AllMetrics metrics={detail.result.metrics} quote={detail.quote} />
          </Panel>
        </>
      )}
      <Panel title="What was asked">
        <Terms run={detail.run} />
      </Panel>
      <Panel title="Where it comes from">
        <Lineage detail={detail} />
      </Panel>
    </>
  );
}
