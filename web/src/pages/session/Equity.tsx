import { Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import type { Palette } from "../../charts/colours";
import { curvesOption } from "../../charts/curves";
import { EChart } from "../../charts/EChart";
import type { TradingSessionRow } from "../../client";
import { getSessionEquityOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { asSentence, formatNumber } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Panel } from "../../components/Panel";

/** The equity of a session, and of the backtest of the same candles. */
export function Equity({ session }: { session: TradingSessionRow }) {
  const found = useQuery({
    ...getSessionEquityOptions({ path: { session_id: session.session_id }, query: { points: 800 } }),
    placeholderData: keepPreviousData,
  });
  const equity = found.data;
  const hasBacktest = equity?.backtest.some((value) => value !== null) ?? false;
  const option = useCallback(
    (palette: Palette, isSmall: boolean) =>
      curvesOption(
        {
          curves: [
            { name: hasBacktest ? "this session" : "", t: equity?.t ?? [], v: equity?.equity ?? [] },
            ...(hasBacktest ? [{ name: "backtest", t: equity?.t ?? [], v: equity?.backtest ?? [] }] : []),
          ],
          format: (value) => formatNumber(value, "money"),
          level: session.cash,
        },
        palette,
        isSmall,
      ),
    [equity, hasBacktest, session.cash],
  );
  const title = `Equity${session.quote ? `, in ${session.quote}` : ""}`;
  return (
    <Panel title={title}>
      {!hasAnswer(found) || !equity ? (
        <Unanswered to={found} what="This session" />
      ) : equity.t.length < 2 ? (
        <Text size="sm" className="mela-muted">
          The curve begins with the second candle.
        </Text>
      ) : (
        <>
          <EChart
            label={`Equity of ${session.name}: ${formatNumber(equity.equity.at(-1), "money")} after ${formatNumber(session.cash, "money")} at the start.`}
            height={260}
            option={option}
          />
          <Text size="sm" mt="xs" className="mela-muted">
            {hasBacktest ? (
              <>
                The backtest of the same candles reaches until <Instant at={equity.backtest_until} /> UTC.
                Where both lines are one, nothing drifts.
              </>
            ) : (
              withoutMarks(
                equity.why_no_backtest ??
                  "a backtest of the same candles is made each day; then its curve stands here, too.",
              )
            )}
          </Text>
        </>
      )}
    </Panel>
  );
}

/** Write words of the API, which mark a command as Markdown does, without the marks. */
function withoutMarks(words: string): string {
  return asSentence(words.replaceAll("`", ""));
}
