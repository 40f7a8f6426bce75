import { Group, Tooltip } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Lock } from "lucide-react";
import type { SceneRow } from "../../client";
import type { Column } from "../../components/DataTable";
import { Instant, Span } from "../../components/Instant";
import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";
import { Num } from "../../components/Num";
import { Tags } from "../../components/Tags";
import { SceneProgress } from "./SceneProgress";
import styles from "./Scenes.module.css";

/** Name a scene as lists do: by its name, else by what it asks. */
export function sceneName(row: Pick<SceneRow, "name" | "strategies" | "instruments" | "scene_id">): string {
  if (row.name) return row.name;
  const asks = [row.strategies.join(", "), row.instruments.slice(0, 2).join(", ")]
    .filter(Boolean)
    .join(" on ");
  return asks || row.scene_id.slice(0, 8);
}

/** Write some instruments short: `BTCUSDT, ETHUSDT +3`. */
export function shortInstruments(instruments: readonly string[], most = 2): string {
  const names = instruments.slice(0, most).map((name) => name.replace(/^[^:]+:/, ""));
  return names.join(", ") + (instruments.length > most ? ` +${instruments.length - most}` : "");
}

/** A scene's name as a link, with its tags, and a lock where it is private. */
export function SceneLink({ row }: { row: SceneRow }) {
  return (
    <Group gap={6} wrap="nowrap">
      {row.is_private && (
        <Tooltip label="Private: only you see it.">
          <Lock size={13} aria-label="private" />
        </Tooltip>
      )}
      <Link
        to="/scenes/$sceneId"
        params={{ sceneId: row.scene_id }}
        className="mela-quiet-link"
        data-row-link
        title={sceneName(row)}
        style={{ overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" }}
      >
        {sceneName(row)}
      </Link>
      <Tags tags={row.tags} />
    </Group>
  );
}

/** Names that leave room for all columns on a screen of 1,440 pixels; a click tells the whole one. */
const SHORT: Readonly<Record<string, string>> = {
  sharpe: "Sharpe",
  total_return: "Return",
  max_drawdown: "Drawdown",
};

const metric = (
  name: "sharpe" | "total_return" | "max_drawdown" | "trades",
  width: number,
): Column<SceneRow> => ({
  id: name,
  header: <MetricName name={name} short={SHORT[name]} />,
  cell: (row) => row.best_metrics && <MetricValue name={name} value={row.best_metrics[name]} />,
  width,
  align: "right",
});

function asked(row: SceneRow): string {
  return row.kind === "train" ? "training" : row.strategies.join(", ");
}

export const COLUMNS: readonly Column<SceneRow>[] = [
  { id: "name", header: "Scene", cell: (row) => <SceneLink row={row} />, width: 240, grow: true },
  { id: "state", header: "State", cell: (row) => <SceneProgress row={row} />, width: 140 },
  { id: "strategy", header: "Strategy", cell: asked, width: 130 },
  {
    id: "candles",
    header: "Candles, span (UTC)",
    cell: (row) => (
      <>
        <div className={styles.cut} title={row.instruments.join(", ")}>
          {shortInstruments(row.instruments)} · {row.interval}
        </div>
        <div className={styles.small}>
          <Span start={row.start} end={row.end} />
        </div>
      </>
    ),
    width: 196,
  },
  {
    id: "runs",
    header: "Runs",
    cell: (row) => <Num value={row.runs} unit="count" />,
    width: 80,
    align: "right",
  },
  metric("sharpe", 84),
  metric("total_return", 104),
  metric("max_drawdown", 112),
  metric("trades", 76),
  { id: "owner", header: "Owner", cell: (row) => row.owner ?? "–", width: 86 },
  {
    id: "received",
    header: "Asked",
    cell: (row) => <Instant at={row.received_at} as="ago" />,
    width: 104,
    align: "right",
  },
];
