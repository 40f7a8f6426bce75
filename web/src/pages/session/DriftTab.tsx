import { Alert, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, TriangleAlert } from "lucide-react";
import type { DriftReport } from "../../client";
import { getSessionDriftOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { asSentence, formatNumber } from "../../components/format";
import { Instant, Span } from "../../components/Instant";
import { Num } from "../../components/Num";
import { Sideways } from "../../components/Sideways";

/** How far a session is from the backtest of the same candles, trade by trade. */
export function DriftTab({ sessionId, quote }: { sessionId: string; quote: string }) {
  const found = useQuery(getSessionDriftOptions({ path: { session_id: sessionId } }));
  if (!hasAnswer(found)) return <Unanswered to={found} what="This session" />;
  const { data } = found;
  if (data.report === null) {
    return (
      <EmptyState title="Not compared yet">
        Each day Mela backtests the candles that this session saw, and says here what differs. At once:{" "}
        <code>mela drift {sessionId.slice(0, 8)}</code>
      </EmptyState>
    );
  }
  return <Report report={data.report} quote={quote} />;
}

function Report({ report, quote }: { report: DriftReport; quote: string }) {
  const isZero = report.missed + report.extra + report.differing === 0;
  return (
    <Stack gap="sm" data-drift={isZero ? "zero" : "some"}>
      <Alert
        color={report.state === "ok" ? "green" : "orange"}
        variant="light"
        title={titleOf(report, isZero)}
        icon={
          report.state === "ok" ? (
            <CircleCheck size={18} aria-hidden />
          ) : (
            <TriangleAlert size={18} aria-hidden />
          )
        }
      >
        {report.why && <Text size="sm">{asSentence(report.why)}</Text>}
        <Text size="sm">
          <Span start={report.start} end={report.end} /> UTC, compared <Instant at={report.made_at} />.{" "}
          {formatNumber(report.trades_ours, "count")} round trips here,{" "}
          {formatNumber(report.trades_backtest, "count")} in the backtest: {report.missed} missed,{" "}
          {report.extra} extra, {report.differing} that differ. Profit differs by{" "}
          <Num value={report.profit_difference} unit="money" isChange /> {quote}
          {report.bound !== null && <> (an alert comes beyond {formatNumber(report.bound, "fraction")})</>}.
        </Text>
      </Alert>
      {report.lines.length > 0 && (
        <Sideways label="Table: trades that differ">
          <Table verticalSpacing={5} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Entry (UTC)</Table.Th>
                <Table.Th scope="col">Instrument</Table.Th>
                <Table.Th scope="col">Drift</Table.Th>
                <Table.Th scope="col">What</Table.Th>
                <Table.Th scope="col">This session</Table.Th>
                <Table.Th scope="col">Backtest</Table.Th>
                <Table.Th scope="col">Why</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {report.lines.map((line) => (
                <Table.Tr key={`${line.instrument} ${line.entered_at} ${line.what}`}>
                  <Table.Td>
                    <Instant at={line.entered_at} />
                  </Table.Td>
                  <Table.Td>{line.instrument}</Table.Td>
                  <Table.Td>{line.kind}</Table.Td>
                  <Table.Td>{line.what.replaceAll("_", " ")}</Table.Td>
                  <Table.Td>{line.ours ?? "–"}</Table.Td>
                  <Table.Td>{line.backtest ?? "–"}</Table.Td>
                  <Table.Td>{line.why ?? "not known"}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Sideways>
      )}
    </Stack>
  );
}

function titleOf(report: DriftReport, isZero: boolean): string {
  if (report.state === "failed") return "The comparison failed";
  if (isZero) return "No drift: every trade is the backtest's";
  return report.state === "beyond" ? "It drifts further than it may" : "It drifts within its bound";
}
