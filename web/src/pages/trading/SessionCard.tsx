import { Group, Stack, Text } from "@mantine/core";
import type { TradingSessionRow } from "../../client";
import { formatNumber } from "../../components/format";
import { Num } from "../../components/Num";
import { shortInstruments } from "../scenes/sceneColumns";
import { LastCandle, SessionLink, States, useFresh } from "./sessionColumns";

/** A session on a phone. */
export function SessionCard({ row }: { row: TradingSessionRow }) {
  const now = useFresh(row);
  return (
    <Stack gap={3}>
      <SessionLink row={row} />
      <States row={row} />
      <Text size="xs" className="mela-muted" truncate>
        {row.strategy} · {shortInstruments(row.instruments)} · {row.interval} · {row.broker}
      </Text>
      <Group gap="sm" wrap="nowrap">
        <Text size="xs" component="span" style={{ whiteSpace: "nowrap" }} data-equity={now.equity ?? ""}>
          <span className="mela-muted">equity </span>
          {formatNumber(now.equity, "money")} {now.quote}
        </Text>
        <Text size="xs" component="span" style={{ whiteSpace: "nowrap" }}>
          <span className="mela-muted">today </span>
          <Num value={now.day_profit} unit="money" isChange />
        </Text>
        <Text size="xs" component="span" style={{ whiteSpace: "nowrap" }}>
          <span className="mela-muted">positions </span>
          {now.positions}
        </Text>
      </Group>
      <Text size="xs" className="mela-muted" component="div">
        last candle <LastCandle row={row} />
      </Text>
    </Stack>
  );
}
