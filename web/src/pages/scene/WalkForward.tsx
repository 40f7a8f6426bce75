import { Table, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useCallback } from "react";
import type { Palette } from "../../charts/colours";
import { curvesOption } from "../../charts/curves";
import { EChart } from "../../charts/EChart";
import type { FoldReport, WalkForwardReport } from "../../client";
import { formatNumber } from "../../components/format";
import { Span } from "../../components/Instant";
import { Num } from "../../components/Num";
import { Panel } from "../../components/Panel";
import { Sideways } from "../../components/Sideways";
import styles from "./Scene.module.css";

/** What choosing on the past brought on candles that had not been seen. */
export function WalkForward({ walk }: { walk: WalkForwardReport }) {
  const at = walk.equity?.at;
  const equity = walk.equity?.equity;
  const option = useCallback(
    (palette: Palette, isSmall: boolean) =>
      curvesOption(
        {
          curves: [{ name: "out of sample", t: (at ?? []).map((one) => Date.parse(one)), v: equity ?? [] }],
          format: (value) => formatNumber(value, "money"),
          level: equity?.[0] ?? undefined,
        },
        palette,
        isSmall,
      ),
    [at, equity],
  );
  return (
    <Panel title="Walk-forward" className={styles.wholeRow}>
      <Text size="sm" mb="xs">
        {walk.folds} windows: <Num value={walk.total_return} unit="fraction" isChange /> out of sample, buying
        and holding <Num value={walk.buy_hold_return} unit="fraction" isChange />; Sharpe ratio{" "}
        <Num value={walk.sharpe} />, largest drawdown <Num value={walk.max_drawdown} unit="fraction" />,{" "}
        {formatNumber(walk.trades, "count")} trades.
        {walk.untested ? ` ${walk.untested} windows could not be tested.` : ""}
      </Text>
      {at && at.length > 1 && (
        <EChart
          label={`Equity out of sample, from ${formatNumber(equity?.[0], "money")} to ${formatNumber(equity?.at(-1), "money")}`}
          height={220}
          option={option}
        />
      )}
      <div className={styles.windows}>
        {Object.entries(walk.instruments ?? {}).map(([instrument, one]) => (
          <div key={instrument}>
            <Title order={3} mt="sm" mb={4}>
              {instrument}
            </Title>
            <Folds instrument={instrument} folds={one.folds ?? []} />
          </div>
        ))}
      </div>
    </Panel>
  );
}

function Folds({ instrument, folds }: { instrument: string; folds: readonly FoldReport[] }) {
  return (
    <Sideways label={`Windows of ${instrument}`}>
      <Table verticalSpacing={4} striped="even">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Tested on (UTC)</Table.Th>
            <Table.Th>Chosen</Table.Th>
            <Table.Th ta="right">In training</Table.Th>
            <Table.Th ta="right">Sharpe</Table.Th>
            <Table.Th ta="right">Return</Table.Th>
            <Table.Th ta="right">Buy and hold</Table.Th>
            <Table.Th ta="right">Trades</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {folds.map((fold) => (
            <Table.Tr key={fold.test_start}>
              <Table.Td>
                <Span start={fold.test_start} end={fold.test_end} />
              </Table.Td>
              <Table.Td style={{ whiteSpace: "nowrap" }}>
                {fold.run_key ? (
                  <Link to="/runs/$runKey" params={{ runKey: fold.run_key }} className="mela-quiet-link">
                    {choice(fold.choice)}
                  </Link>
                ) : (
                  (fold.error ?? "nothing")
                )}
              </Table.Td>
              <Table.Td ta="right">
                <Num value={fold.trained} />
              </Table.Td>
              <Table.Td ta="right">
                <Num value={fold.sharpe} />
              </Table.Td>
              <Table.Td ta="right">
                <Num value={fold.total_return} unit="fraction" isChange />
              </Table.Td>
              <Table.Td ta="right">
                <Num value={fold.buy_hold_return} unit="fraction" isChange />
              </Table.Td>
              <Table.Td ta="right">{formatNumber(fold.trades, "count")}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sideways>
  );
}

function choice(values: Record<string, unknown> | undefined): string {
  const words = Object.entries(values ?? {}).map(
    ([path, value]) => `${path.split(".").at(-1)} ${value ?? "none"}`,
  );
  return words.join(", ") || "the run";
}
