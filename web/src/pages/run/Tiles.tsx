import { MetricName } from "../../components/MetricName";
import { MetricValue } from "../../components/MetricValue";
import { isChange, useMetrics } from "../../components/metrics";
import { Num } from "../../components/Num";
import styles from "./Run.module.css";

const FIRST = [
  "total_return",
  "cagr",
  "sharpe",
  "sortino",
  "max_drawdown",
  "volatility_ann",
  "trades",
  "win_rate",
  "profit_factor",
  "exposure_time",
  "fees_paid",
  "final_equity",
];

interface Props {
  metrics: Record<string, number | null>;
  benchmark: Record<string, number | null>;
  quote: string;
}

/** The metrics that one looks at first, with what buying and holding came to. */
export function Tiles({ metrics, benchmark, quote }: Props) {
  const units = useMetrics();
  return (
    <dl className={styles.tiles}>
      {FIRST.filter((name) => name in metrics).map((name) => (
        <div key={name} className={styles.tile}>
          <dt>
            <MetricName name={name} />
          </dt>
          <dd>
            <MetricValue name={name} value={metrics[name]} quote={quote} />
            {typeof benchmark[name] === "number" && (
              <small>
                held: <Num value={benchmark[name]} unit={units.get(name)?.unit} isChange={isChange(name)} />
              </small>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
