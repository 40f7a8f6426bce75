import { Text } from "@mantine/core";
import { getSessionLog, type LogRow } from "../../client";
import type { Column } from "../../components/DataTable";
import { Instant } from "../../components/Instant";
import { Rows } from "./Rows";

/** Every event of a session, as it is stored: what the world said, and what followed. */
export function LogTab({ sessionId }: { sessionId: string }) {
  return (
    <Rows<LogRow>
      id="getSessionLog"
      sessionId={sessionId}
      ask={async ({ cursor, signal }) =>
        (await getSessionLog({ path: { session_id: sessionId }, query: { cursor, limit: 100 }, signal })).data
      }
      label="Events of the log"
      columns={COLUMNS}
      keyOf={(row) => String(row.seq)}
      card={(row) => <Card row={row} />}
      cardHeight={72}
      empty={{ title: "The log is empty", words: "The first event is written when the session begins." }}
    />
  );
}

const said = (row: LogRow) => JSON.stringify(row.document);

const COLUMNS: Column<LogRow>[] = [
  { id: "seq", header: "No.", width: 70, align: "right", cell: (row) => row.seq.toLocaleString("en-US") },
  { id: "at", header: "When (UTC)", width: 176, cell: (row) => <Instant at={row.at} /> },
  { id: "kind", header: "Event", width: 170, cell: (row) => row.kind.replaceAll("_", " ") },
  {
    id: "document",
    header: "What it says",
    width: 400,
    grow: true,
    cell: (row) => (
      <span className="mela-code" title={said(row)}>
        {said(row)}
      </span>
    ),
  },
];

function Card({ row }: { row: LogRow }) {
  return (
    <>
      <Text size="sm">
        {row.seq.toLocaleString("en-US")} {row.kind.replaceAll("_", " ")} · <Instant at={row.at} />
      </Text>
      <Text size="xs" lineClamp={2} className="mela-muted mela-code">
        {said(row)}
      </Text>
    </>
  );
}
