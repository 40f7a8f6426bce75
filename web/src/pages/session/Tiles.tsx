import type { ReactNode } from "react";
import type { TradingSessionRow } from "../../client";
import { Age } from "../../components/Age";
import { formatNumber } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Num } from "../../components/Num";
import { lateAfter } from "../trading/sessionColumns";
import styles from "./Session.module.css";

/** What one looks at first. */
export function Tiles({ session }: { session: TradingSessionRow }) {
  const profit = session.equity === null ? null : session.equity - session.cash;
  return (
    <dl className={styles.tiles}>
      <Tile name="Equity" note={session.quote}>
        <span data-equity={session.equity ?? ""}>{formatNumber(session.equity, "money")}</span>
      </Tile>
      <Tile
        name="Profit"
        note={<Num value={profit === null ? null : profit / session.cash} unit="fraction" isChange />}
      >
        <Num value={profit} unit="money" isChange />
      </Tile>
      <Tile name="Today" note="since 00:00 UTC">
        <Num value={session.day_profit} unit="money" isChange />
      </Tile>
      <Tile
        name="Positions"
        note={`${session.open_orders} open ${session.open_orders === 1 ? "order" : "orders"}`}
      >
        {formatNumber(session.positions, "count")}
      </Tile>
      <Tile name="Round trips" note="closed trades">
        <span data-trades={session.trades}>{formatNumber(session.trades, "count")}</span>
      </Tile>
      <Tile
        name="Last candle"
        note={
          <>
            closed <Instant at={session.last_candle_at} /> UTC
          </>
        }
      >
        <Age at={session.heard_at ?? session.last_candle_at} oldAfter={lateAfter(session)} />
      </Tile>
    </dl>
  );
}

function Tile({ name, note, children }: { name: string; note: ReactNode; children: ReactNode }) {
  return (
    <div className={styles.tile}>
      <dt>{name}</dt>
      <dd>
        {children}
        <small>{note}</small>
      </dd>
    </div>
  );
}
