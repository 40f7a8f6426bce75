import { formatChange, formatNumber, type Unit } from "./format";

interface Props {
  value: number | null | undefined;
  unit?: Unit;
  /** Write + and −, and colour gains and losses; the sign says the same as the colour. */
  isChange?: boolean;
}

/** A number with its unit, in figures of equal width. */
export function Num({ value, unit = "number", isChange = false }: Props) {
  if (!isChange) return <span className="mela-number">{formatNumber(value, unit)}</span>;
  const tone = value ? (value > 0 ? "mela-gain" : "mela-loss") : "";
  return <span className={`mela-number ${tone}`}>{formatChange(value, unit)}</span>;
}
