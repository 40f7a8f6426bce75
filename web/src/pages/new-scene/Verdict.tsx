import { Alert, List, Skeleton, Text } from "@mantine/core";
import { CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { Validation } from "../../client";
import { formatDay, formatDuration, formatNumber } from "../../components/format";
import { ProblemView } from "../../components/ProblemView";
import styles from "./NewScene.module.css";
import type { Fields } from "./sceneText";
import { countRuns } from "./variation";

interface Props {
  scene: Fields;
  /** The newest answer; of the scene as it was, while isChecking */
  found: Validation | undefined;
  isChecking: boolean;
  error: unknown;
  textFaults: readonly { message: string }[];
}

/** What the scene would be: how many runs, how long, what is wrong or missing. */
export function Verdict({ scene, found, isChecking, error, textFaults }: Props) {
  if (textFaults.length > 0) {
    return (
      <Alert
        color="orange"
        variant="light"
        title="The YAML cannot be read"
        icon={<TriangleAlert size={18} aria-hidden />}
      >
        {textFaults.map((fault) => (
          <Text key={fault.message} size="sm">
            {fault.message}
          </Text>
        ))}
        <Text size="sm" mt={4}>
          The form waits until it can.
        </Text>
      </Alert>
    );
  }
  if (error) return <ProblemView error={error} />;
  if (!found) return <Skeleton height={96} />;
  return (
    <div aria-live="polite" aria-busy={isChecking}>
      <Counts scene={scene} found={found} isChecking={isChecking} />
      {found.faults.length > 0 && (
        <Alert
          mt="sm"
          color="orange"
          variant="light"
          title={found.faults.length === 1 ? "One thing is wrong" : `${found.faults.length} things are wrong`}
          icon={<TriangleAlert size={18} aria-hidden />}
        >
          <List size="sm" spacing={4}>
            {found.faults.map((fault) => (
              <List.Item key={`${fault.field}${fault.message}`}>
                {fault.field && <span className="mela-code">{fault.field}: </span>}
                {fault.message}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {found.missing_candles.length > 0 && (
        <Alert
          mt="sm"
          color="yellow"
          variant="light"
          title="Candles are missing"
          icon={<Info size={18} aria-hidden />}
        >
          <List size="sm">
            {found.missing_candles.slice(0, 6).map((gap) => (
              <List.Item key={`${gap.instrument}${gap.start}`}>
                {gap.instrument} {gap.interval}: {formatDay(gap.start)} – {formatDay(gap.end)}
              </List.Item>
            ))}
          </List>
          {found.missing_candles.length > 6 && (
            <Text size="sm">and {found.missing_candles.length - 6} more spans.</Text>
          )}
        </Alert>
      )}
      {found.warnings.map((warning) => (
        <Text key={warning} size="sm" mt="xs" className="mela-muted">
          {warning}
        </Text>
      ))}
    </div>
  );
}

function Counts({ scene, found, isChecking }: { scene: Fields; found: Validation; isChecking: boolean }) {
  // While the API has not looked at the newest text yet, the page counts for itself.
  const own = countRuns(scene);
  const runs = isChecking || !found.is_valid ? own : found.runs;
  return (
    <dl className={styles.facts}>
      <dt>Runs</dt>
      <dd data-runs={runs ?? ""}>
        {found.is_valid && !isChecking && (
          <CircleCheck
            size={14}
            color="var(--mela-gain)"
            aria-label="The scene is valid."
            style={{ verticalAlign: -2 }}
          />
        )}{" "}
        <b>{runs === null ? "not known yet" : formatNumber(runs, "count")}</b>
        {found.is_valid && !isChecking && found.skipped > 0 && (
          <span className="mela-muted">
            {" "}
            ({formatNumber(found.skipped, "count")} combinations left out, as the strategy does not accept
            them)
          </span>
        )}
      </dd>
      {found.is_valid && found.stored_runs !== null && (
        <>
          <dt>Answered already</dt>
          <dd>{formatNumber(found.stored_runs, "count")}</dd>
        </>
      )}
      {found.is_valid && found.expected_seconds !== null && (
        <>
          <dt>Expected to take</dt>
          <dd>
            {found.expected_seconds < 1
              ? "less than a second"
              : `about ${formatDuration(found.expected_seconds)}`}
          </dd>
        </>
      )}
    </dl>
  );
}
