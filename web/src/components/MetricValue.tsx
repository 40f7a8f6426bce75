import { isChange, useMetrics } from "./metrics";
import { Num } from "./Num";

interface Props {
  name: string;
  value: number | null | undefined;
  /** What money is counted in, where it is known */
  quote?: string;
}

/** The value of a metric, in its unit. */
export function MetricValue({ name, value, quote }: Props) {
  const metric = useMetrics().get(name);
  const isMoney = metric?.unit === "quote currency" && typeof value === "number";
  return (
    <>
      <Num value={value} unit={metric?.unit ?? "number"} isChange={isChange(name)} />
      {isMoney && quote && <span className="mela-currency"> {quote}</span>}
    </>
  );
}
