import { Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { HoldoutReport } from "../../client";
import { formatNumber } from "../../components/format";
import { Instant, Span } from "../../components/Instant";
import { Num } from "../../components/Num";
import { Panel } from "../../components/Panel";
import { NumberTable } from "./NumberTable";

/** How the winner did on the candles that no run of the search had seen. */
export function Holdout({ holdout, isRecorded }: { holdout: HoldoutReport; isRecorded: boolean }) {
  return (
    <Panel
      title="Holdout"
      aside={
        <Link to="/runs/$runKey" params={{ runKey: holdout.run_key }} className="mela-quiet-link">
          The winner's run
        </Link>
      }
    >
      <Text size="sm" mb="xs">
        {holdout.instrument}, <Span start={holdout.start} end={holdout.end} /> UTC
      </Text>
      {holdout.error ? (
        <Text size="sm">{holdout.error}</Text>
      ) : (
        <NumberTable
          label="Holdout"
          rows={[
            { name: "Return", value: <Num value={holdout.total_return} unit="fraction" isChange /> },
            {
              name: "Buying and holding",
              value: <Num value={holdout.buy_hold_return} unit="fraction" isChange />,
            },
            { name: "Sharpe ratio", value: <Num value={holdout.sharpe} /> },
            { name: "Largest drawdown", value: <Num value={holdout.max_drawdown} unit="fraction" /> },
            { name: "Trades", value: formatNumber(holdout.trades, "count") },
          ]}
        />
      )}
      <Text size="sm" mt="xs" className="mela-muted">
        {holdout.opened_at && (
          <>
            Opened <Instant at={holdout.opened_at} />.{" "}
          </>
        )}
        {holdout.reopened
          ? `These candles were looked at ${holdout.reopened === 1 ? "once" : `${formatNumber(holdout.reopened, "count")} times`} before, so they test the choice less.`
          : isRecorded
            ? "Nobody had looked at these candles before."
            : "Mela keeps no record of who looked at these candles before."}
      </Text>
    </Panel>
  );
}
