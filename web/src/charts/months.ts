/** A table of monthly returns: a row a year, and what the year came to. */

export interface MonthReturn {
  year: number;
  /** 1 for January */
  month: number;
  return: number | null;
}

export interface YearRow {
  year: number;
  /** 12 values, January first; null where the run has no candles */
  months: (number | null)[];
  /** The months of the year, compounded; null where none is known */
  total: number | null;
}

/** Return a row for each year from the first to the last, oldest first. */
export function yearRows(returns: readonly MonthReturn[]): YearRow[] {
  const years = returns.map((one) => one.year);
  if (years.length === 0) {
    return [];
  }
  const first = Math.min(...years);
  const rows = Array.from({ length: Math.max(...years) - first + 1 }, (_, place) => ({
    year: first + place,
    months: new Array<number | null>(12).fill(null),
  }));
  for (const one of returns) {
    const row = rows[one.year - first];
    if (row) {
      row.months[one.month - 1] = one.return;
    }
  }
  return rows.map((row) => ({ ...row, total: compounded(row.months) }));
}

/** Return what returns come to one after another; null where none is known. */
export function compounded(returns: readonly (number | null)[]): number | null {
  const known = returns.filter((one): one is number => one !== null);
  return known.length === 0 ? null : known.reduce((so, one) => so * (1 + one), 1) - 1;
}

/** Return the return that full colour stands for: of nine in ten months, so that one does not pale all. */
export function fullShade(returns: readonly (number | null)[]): number {
  const sizes = returns
    .filter((one): one is number => one !== null)
    .map(Math.abs)
    .sort((a, b) => a - b);
  return sizes[Math.floor((sizes.length - 1) * 0.9)] ?? 0;
}
