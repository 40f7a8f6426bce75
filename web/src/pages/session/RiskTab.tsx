import { Stack, Switch, Text } from "@mantine/core";
import { useState } from "react";
import { listVerdicts, type TradingSessionRow, type VerdictRow } from "../../client";
import type { Column } from "../../components/DataTable";
import { asSentence, formatUnits } from "../../components/format";
import { Instant } from "../../components/Instant";
import { Rows } from "./Rows";
import { sawWords } from "./states";

const MEANS = {
  active: "Orders pass that keep every limit.",
  reducing: "Only orders that reduce a position pass.",
  halted: "Nothing passes but orders that close positions, until somebody releases the session.",
} as const;

/** The state of risk with its reason, and what the risk engine said of each order. */
export function RiskTab({ session }: { session: TradingSessionRow }) {
  const [isRefusedOnly, setRefusedOnly] = useState(false);
  return (
    <Stack gap="sm">
      <Text size="sm">
        {MEANS[session.risk_state]} {session.risk_why && asSentence(session.risk_why)}
      </Text>
      <Switch
        size="xs"
        label="Only refused ones"
        checked={isRefusedOnly}
        onChange={(event) => setRefusedOnly(event.currentTarget.checked)}
      />
      <Rows<VerdictRow>
        id="listVerdicts"
        sessionId={session.session_id}
        query={{ only_refused: isRefusedOnly }}
        ask={async ({ cursor, signal }) => {
          const query = { only_refused: isRefusedOnly, cursor, limit: 100 };
          return (await listVerdicts({ path: { session_id: session.session_id }, query, signal })).data;
        }}
        label="Verdicts of the risk engine"
        columns={COLUMNS}
        keyOf={(row) => `${row.at} ${row.instrument} ${row.code}`}
        card={(row) => <Card row={row} />}
        cardHeight={104}
        empty={
          isRefusedOnly
            ? { title: "Nothing was refused", words: "Every order kept the limits of this session." }
            : { title: "No order has been judged yet", words: "Each order is judged before it leaves." }
        }
      />
    </Stack>
  );
}

function Outcome({ row }: { row: VerdictRow }) {
  return row.is_allowed ? <span>✓ passed</span> : <span className="mela-loss">✕ refused</span>;
}

const COLUMNS: Column<VerdictRow>[] = [
  { id: "at", header: "When (UTC)", width: 176, cell: (row) => <Instant at={row.at} /> },
  { id: "instrument", header: "Instrument", width: 156, cell: (row) => row.instrument },
  { id: "outcome", header: "Verdict", width: 92, cell: (row) => <Outcome row={row} /> },
  {
    id: "sentence",
    header: "Reason",
    width: 240,
    grow: true,
    cell: (row) => <span title={row.sentence}>{row.sentence}</span>,
  },
  { id: "code", header: "Code", width: 150, cell: (row) => <span className="mela-code">{row.code}</span> },
  {
    id: "units",
    header: "Asked units",
    width: 110,
    align: "right",
    cell: (row) => formatUnits(row.units, 6),
  },
  {
    id: "granted",
    header: "Let through",
    width: 110,
    align: "right",
    cell: (row) => formatUnits(row.granted_units, 6),
  },
  {
    id: "saw",
    header: "What it saw",
    width: 260,
    grow: true,
    cell: (row) => <span title={sawWords(row.saw)}>{sawWords(row.saw)}</span>,
  },
];

function Card({ row }: { row: VerdictRow }) {
  return (
    <>
      <Text size="sm">
        <Outcome row={row} /> {row.instrument}, {formatUnits(row.units)} units
      </Text>
      <Text size="xs" lineClamp={1}>
        {row.sentence}
      </Text>
      <Text size="xs" className="mela-muted" lineClamp={1}>
        {sawWords(row.saw)}
      </Text>
      <Text size="xs" className="mela-muted">
        <Instant at={row.at} /> · {row.code}
      </Text>
    </>
  );
}
