import { Badge, Group, Tooltip } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Lock } from "lucide-react";
import type { TradingSessionRow } from "../../client";
import { Heard } from "../../components/Age";
import type { Column } from "../../components/DataTable";
import { formatNumber } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Num } from "../../components/Num";
import { StateBadge } from "../../components/StateBadge";
import { freshened } from "../../events";
import { useLatestSession } from "../../useEvents";
import { secondsOf } from "../run/screens";
import { shortInstruments } from "../scenes/sceneColumns";
import { hasEnded } from "../session/states";

/** Return a session of the list as the newest event says it is. */
export function useFresh(row: TradingSessionRow): TradingSessionRow {
  return freshened(row, useLatestSession(row.session_id));
}

/** Two candles without news are late; a session that does not trade waits for none. */
export function lateAfter(row: Pick<TradingSessionRow, "interval" | "state">): number {
  if (row.state !== "running") return Number.POSITIVE_INFINITY;
  return 2 * secondsOf(row.interval) + 10;
}

/** A session's name as a link, with a lock where it is private, and a word where it is about money. */
export function SessionLink({ row }: { row: TradingSessionRow }) {
  return (
    <Group gap={6} wrap="nowrap">
      {row.is_private && (
        <Tooltip label="Private: only you see it.">
          <Lock size={13} aria-label="private" />
        </Tooltip>
      )}
      <Link
        to="/trading/$sessionId"
        params={{ sessionId: row.session_id }}
        className="mela-quiet-link"
        data-row-link
        title={row.name}
        style={{ overflow: "hidden", textOverflow: "ellipsis" }}
      >
        {row.name}
      </Link>
      <MoneyBadge money={row.money} />
    </Group>
  );
}

const FULL = { flexShrink: 0 }; // the word is not shortened where a name is long

/** Paper or money, in words. */
export function MoneyBadge({ money }: { money: TradingSessionRow["money"] }) {
  return money === "live" ? (
    <Badge color="red.9" variant="filled" size="sm" style={FULL} data-money="live">
      money
    </Badge>
  ) : (
    <Badge color="gray" variant="outline" size="sm" c="var(--mela-muted)" style={FULL} data-money="paper">
      paper
    </Badge>
  );
}

/** The state of a session, and whether the risk engine lets it enter. */
export function States({ row }: { row: TradingSessionRow }) {
  const now = useFresh(row);
  return (
    <Group gap={8} wrap="nowrap" data-session-state={now.state} data-risk-state={now.risk_state}>
      <StateBadge state={now.state} />
      {now.risk_state !== "active" && (
        <Tooltip label={now.risk_why ?? "The risk engine says so."} disabled={!now.risk_why}>
          <span>
            <StateBadge state={now.risk_state} />
          </span>
        </Tooltip>
      )}
    </Group>
  );
}

/** When the last candle closed; how long ago it came is said only while more are to come. */
export function LastCandle({ row }: { row: TradingSessionRow }) {
  const now = useFresh(row);
  if (hasEnded(now.state)) return <Instant at={now.last_candle_at} />;
  return <Heard at={now.last_candle_at} heardAt={now.heard_at} oldAfter={lateAfter(now)} />;
}

function Equity({ row }: { row: TradingSessionRow }) {
  const now = useFresh(row);
  return (
    <span className="mela-number" data-equity={now.equity ?? ""}>
      {formatNumber(now.equity, "money")} <small className="mela-muted">{now.quote}</small>
    </span>
  );
}

function DayProfit({ row }: { row: TradingSessionRow }) {
  return <Num value={useFresh(row).day_profit} unit="money" isChange />;
}

function Count({ row, of }: { row: TradingSessionRow; of: "positions" | "trades" | "open_orders" }) {
  return <>{formatNumber(useFresh(row)[of], "count")}</>;
}

export const COLUMNS: Column<TradingSessionRow>[] = [
  { id: "name", header: "Session", width: 170, grow: true, cell: (row) => <SessionLink row={row} /> },
  { id: "state", header: "State", width: 206, cell: (row) => <States row={row} /> },
  {
    id: "trades_what",
    header: "What it trades",
    width: 190,
    grow: true,
    cell: (row) => (
      <span title={`${row.strategy} on ${row.instruments.join(", ")}, ${row.interval}`}>
        {row.strategy} on {shortInstruments(row.instruments)}, {row.interval}
      </span>
    ),
  },
  { id: "broker", header: "Fills", width: 66, cell: (row) => row.broker },
  { id: "equity", header: "Equity", width: 132, align: "right", cell: (row) => <Equity row={row} /> },
  { id: "day", header: "Today (UTC)", width: 104, align: "right", cell: (row) => <DayProfit row={row} /> },
  {
    id: "positions",
    header: "Positions",
    width: 84,
    align: "right",
    cell: (row) => <Count row={row} of="positions" />,
  },
  {
    id: "count",
    header: "Round trips",
    width: 96,
    align: "right",
    cell: (row) => <Count row={row} of="trades" />,
  },
  { id: "candle", header: "Last candle closed", width: 250, cell: (row) => <LastCandle row={row} /> },
  { id: "owner", header: "Owner", width: 64, cell: (row) => row.owner ?? "–" },
];
