import { isChange, useMetrics } from "./metrics";
import { Num } from "./Num";

/** The value of a metric, in its unit. */
export function MetricValue({ name, value }: { name: string; value: number | null | undefined }) {
  const metric = useMetrics().get(name);
  return <Num value={value} unit={metric?.unit ?? "number"} isChange={isChange(name)} />;
}
