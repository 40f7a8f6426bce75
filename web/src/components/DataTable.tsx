import { Checkbox, UnstyledButton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";
import styles from "./DataTable.module.css";
import { formatNumber } from "./format";
import { metricLabel } from "./metrics";
import { usePrinting } from "./usePrinting";

export interface Column<Row> {
  id: string;
  header: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Width in pixels; `grow` columns share what is left. */
  width: number;
  grow?: boolean;
  align?: "left" | "right";
  /** Name that `onSort` is called with; without it the column cannot be sorted. */
  sortBy?: string;
}

export interface Sort {
  by: string;
  order: "asc" | "desc";
}

interface Props<Row> {
  /** What the table holds, for those who do not see it. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Number of all rows, where it is known and only a part is loaded. */
  total?: number | null;
  sort?: Sort;
  onSort?: (by: string) => void;
  /** Called when the last rows come near, to load more. */
  onEnd?: () => void;
  isLoadingMore?: boolean;
  selected?: ReadonlySet<string>;
  onSelect?: (key: string, isSelected: boolean) => void;
  nameOf?: (row: Row) => string;
  rowHeight?: number;
  maxHeight?: string;
  /** What a phone shows in the place of a row. */
  card?: (row: Row) => ReactNode;
  cardHeight?: number;
}

const NARROW = "(max-width: 40em)";

/** A table of any length: only the rows in sight are drawn, on paper all that are loaded; on a phone, cards. */
export function DataTable<Row>(props: Props<Row>) {
  const { rows, card, rowHeight = 33, cardHeight = 112, onEnd, label } = props;
  const isCards = useMediaQuery(NARROW, undefined, { getInitialValueInEffect: false }) && card !== undefined;
  const scroller = useRef<HTMLDivElement>(null);
  const height = isCards ? cardHeight : rowHeight;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
  });
  const inSight = virtual.getVirtualItems();
  const last = inSight.at(-1)?.index ?? 0;
  // Paper does not scroll: it shows all rows that are loaded.
  const isPrinting = usePrinting();
  const items = isPrinting ? rows.map((_, index) => ({ index, start: index * height })) : inSight;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new height of rows is what must be measured
  useEffect(() => virtual.measure(), [height]);
  useEffect(() => {
    if (rows.length > 0 && last >= rows.length - 20) onEnd?.();
  }, [last, rows.length, onEnd]);

  const before = isPrinting ? 0 : (inSight[0]?.start ?? 0);
  const after = isPrinting ? 0 : virtual.getTotalSize() - (inSight.at(-1)?.end ?? 0);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => moveFocus(event, scroller.current);

  return (
    // biome-ignore lint/a11y/useSemanticElements: a region that scrolls must be reached by keyboard
    <div
      ref={scroller}
      className={styles.scroller}
      style={{ maxHeight: props.maxHeight ?? "70vh" }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: so that arrow keys scroll it
      tabIndex={0}
      role="region"
      aria-label={label}
      onKeyDown={onKeyDown}
    >
      {isCards && card ? (
        <ul className={styles.cards} style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const row = rows[index];
            return row === undefined ? null : (
              <li
                key={props.keyOf(row)}
                className={styles.card}
                style={{ height: cardHeight, transform: `translateY(${start}px)` }}
              >
                <SelectBox {...props} row={row} />
                <div className={styles.cardBody}>{card(row)}</div>
              </li>
            );
          })}
        </ul>
      ) : (
        <table className={styles.table} aria-rowcount={props.total ?? rows.length}>
          <Head {...props} />
          <tbody>
            <Spacer height={before} columns={props.columns.length + 1} />
            {items.map(({ index }) => {
              const row = rows[index];
              return row === undefined ? null : (
                <tr key={props.keyOf(row)} aria-rowindex={index + 1} style={{ height: rowHeight }} data-row>
                  {props.onSelect && (
                    <td>
                      <SelectBox {...props} row={row} />
                    </td>
                  )}
                  {props.columns.map((column) => (
                    <td key={column.id} data-align={column.align}>
                      {column.cell(row)}
                    </td>
                  ))}
                </tr>
              );
            })}
            <Spacer height={after} columns={props.columns.length + 1} />
          </tbody>
        </table>
      )}
      {isPrinting && (props.total ?? 0) > rows.length && (
        <p className={styles.more}>
          {`${formatNumber(rows.length, "count")} of ${formatNumber(props.total ?? 0, "count")} are printed; the export has all of them.`}
        </p>
      )}
      {props.isLoadingMore && (
        <p className={styles.more} role="status">
          Loading more…
        </p>
      )}
    </div>
  );
}

function Head<Row>({ columns, sort, onSort, onSelect }: Props<Row>) {
  return (
    <>
      <colgroup>
        {onSelect && <col style={{ width: 36 }} />}
        {columns.map((column) => (
          <col key={column.id} style={column.grow ? { minWidth: column.width } : { width: column.width }} />
        ))}
      </colgroup>
      <thead>
        <tr>
          {onSelect && (
            <th scope="col">
              <span className={styles.hidden}>Selected</span>
            </th>
          )}
          {columns.map((column) => {
            const isSorted = column.sortBy !== undefined && sort?.by === column.sortBy;
            const Arrow = sort?.order === "asc" ? ArrowUp : ArrowDown;
            return (
              <th
                key={column.id}
                scope="col"
                data-align={column.align}
                aria-sort={isSorted ? (sort?.order === "asc" ? "ascending" : "descending") : undefined}
              >
                {column.header}
                {column.sortBy !== undefined && onSort && (
                  <UnstyledButton
                    className={styles.sort}
                    data-sorted={isSorted}
                    aria-label={`Sort by ${metricLabel(column.sortBy)}`}
                    onClick={() => onSort(column.sortBy ?? "")}
                  >
                    <Arrow size={13} aria-hidden />
                  </UnstyledButton>
                )}
              </th>
            );
          })}
        </tr>
      </thead>
    </>
  );
}

function SelectBox<Row>({ row, keyOf, nameOf, selected, onSelect }: Props<Row> & { row: Row }) {
  if (!onSelect) return null;
  const key = keyOf(row);
  return (
    <Checkbox
      size="xs"
      checked={selected?.has(key) ?? false}
      onChange={(event) => onSelect(key, event.currentTarget.checked)}
      aria-label={`Select ${nameOf?.(row) ?? key}`}
    />
  );
}

function Spacer({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr aria-hidden style={{ height }}>
      <td colSpan={columns} style={{ padding: 0, border: 0 }} />
    </tr>
  );
}

/** Move from a row's link to the next one's with the arrow keys. */
function moveFocus(event: KeyboardEvent<HTMLElement>, scroller: HTMLElement | null): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...(scroller?.querySelectorAll<HTMLElement>("[data-row-link]") ?? [])];
  const here = links.indexOf(document.activeElement as HTMLElement);
  const next = links[here + (event.key === "ArrowDown" ? 1 : -1)];
  if (here < 0 || !next) return;
  event.preventDefault();
  next.focus();
}
