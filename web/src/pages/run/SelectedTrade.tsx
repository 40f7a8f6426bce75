import { ActionIcon, Group, Text } from "@mantine/core";
import { ChevronLeft, ChevronRight, X } from "lucide-react";
import type { TradeRow } from "../../client";
import { formatNumber, formatPrice } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Num } from "../../components/Num";
import { words } from "./Groups";

interface Props {
  trade: TradeRow;
  total: number;
  onSeq: (seq: number | null) => void;
}

/** The trade that the chart shows, with the ones before and after it. */
export function SelectedTrade({ trade, total, onSeq }: Props) {
  return (
    <Group gap="xs" className="mela-panel" p="xs" role="status">
      <ActionIcon.Group className="mela-no-print">
        <ActionIcon
          variant="default"
          aria-label="Trade before"
          disabled={trade.seq <= 0}
          onClick={() => onSeq(trade.seq - 1)}
        >
          <ChevronLeft size={16} aria-hidden />
        </ActionIcon>
        <ActionIcon
          variant="default"
          aria-label="Trade after"
          disabled={trade.seq >= total - 1}
          onClick={() => onSeq(trade.seq + 1)}
        >
          <ChevronRight size={16} aria-hidden />
        </ActionIcon>
      </ActionIcon.Group>
      <Text size="sm" style={{ flex: 1 }}>
        <b>
          Trade {trade.seq + 1} of {total.toLocaleString("en-US")}
        </b>
        : {trade.side} {trade.instrument}, <Instant at={trade.entry_at} /> at {formatPrice(trade.entry_price)}{" "}
        to <Instant at={trade.exit_at} /> at {formatPrice(trade.exit_price)} ({words(trade.reason)},{" "}
        {trade.bars} candles): <Num value={trade.pnl} unit="money" isChange />,{" "}
        <Num value={trade.return} unit="fraction" isChange />; MAE {formatNumber(trade.mae, "fraction")}, MFE{" "}
        {formatNumber(trade.mfe, "fraction")}.
      </Text>
      <ActionIcon
        variant="subtle"
        color="gray"
        className="mela-no-print"
        aria-label="No trade"
        onClick={() => onSeq(null)}
      >
        <X size={16} aria-hidden />
      </ActionIcon>
    </Group>
  );
}
