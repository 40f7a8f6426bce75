import { SegmentedControl, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import { metricLabel, useMetrics } from "../../components/metrics";
import { Panel } from "../../components/Panel";
import styles from "./NewScene.module.css";
import { NumberField } from "./NumberField";
import { useFault, useScene } from "./sceneContext";
import { at, type Edit } from "./sceneText";

const DAY_MS = 86_400_000;

/** How the values are tried, what ranks the runs, and which candles test the choice. */
export function SearchSection() {
  const { scene, isLocked, edit } = useScene();
  const metrics = useMetrics();
  const isSearch = scene.search !== undefined && scene.search !== null;
  const kind = at(scene, ["search", "kind"]);
  const rankFault = useFault("rank_by");
  const kindFault = useFault("search.kind", "search.trials", "search.seed", "search.batch");
  const trials = at(scene, ["search", "trials"]);
  const setKind = (next: string) => {
    const edits: Edit[] = [{ path: ["search", "kind"], value: next === "grid" ? undefined : next }];
    if (next === "grid") {
      for (const name of ["trials", "seed", "batch"])
        edits.push({ path: ["search", name], value: undefined });
    } else if (trials === undefined) edits.push({ path: ["search", "trials"], value: 100 });
    edit(...edits);
  };
  return (
    <Panel title="Search and test">
      <Stack gap="sm">
        {isSearch ? (
          <div>
            <SegmentedControl
              aria-label="How values are tried"
              data={[
                { value: "grid", label: "every combination" },
                { value: "random", label: "random draws" },
                { value: "tpe", label: "learning" },
              ]}
              value={typeof kind === "string" ? kind : "grid"}
              onChange={setKind}
              disabled={isLocked}
            />
            {kindFault && (
              <Text size="xs" mt={4} c="var(--mantine-color-error)">
                {kindFault}
              </Text>
            )}
          </div>
        ) : (
          <Text size="sm" className="mela-muted">
            Set a parameter to “list” or “range” to search; with one value each, the scene is one run for each
            instrument.
          </Text>
        )}
        <div className={styles.grid}>
          {isSearch && typeof kind === "string" && kind !== "grid" && (
            <NumberField
              label="Trials"
              description="parameter sets to try"
              isWhole
              value={typeof trials === "number" ? trials : undefined}
              onValue={(value) => edit({ path: ["search", "trials"], value })}
              disabled={isLocked}
            />
          )}
          <Select
            label="Rank by"
            description="what makes a run the best"
            searchable
            placeholder="sharpe"
            clearable
            data={[...metrics.keys()].map((name) => ({ value: name, label: metricLabel(name) }))}
            value={typeof scene.rank_by === "string" ? scene.rank_by : null}
            onChange={(value) => edit({ path: ["rank_by"], value: value ?? undefined })}
            disabled={isLocked}
            error={rankFault}
          />
          <NumberField
            label="Least trades"
            description="runs with fewer rank behind"
            placeholder="0"
            isWhole
            value={typeof scene.min_trades === "number" ? scene.min_trades : undefined}
            onValue={(value) => edit({ path: ["min_trades"], value })}
            disabled={isLocked}
          />
        </div>
        <WalkForward />
        <Holdout />
      </Stack>
    </Panel>
  );
}

function WalkForward() {
  const { scene, isLocked, edit } = useScene();
  const fault = useFault("validation");
  const isOn = typeof scene.validation === "object" && scene.validation !== null;
  const toggle = () =>
    edit({
      path: ["validation"],
      value: isOn ? undefined : { kind: "walk_forward", train: "180d", test: "60d", embargo: "1d" },
    });
  return (
    <Stack gap={6}>
      <Switch
        label="Walk forward"
        description="Choose on a window, test on the candles after it, move on."
        checked={isOn}
        onChange={toggle}
        disabled={isLocked}
      />
      {isOn && (
        <div className={styles.grid}>
          <Length path="train" label="Train" />
          <Length path="test" label="Test" />
          <Length path="embargo" label="Left out between" />
          <Switch
            label="Anchored"
            description="Training always begins with the first candle."
            checked={at(scene, ["validation", "anchored"]) === true}
            onChange={(event) =>
              edit({ path: ["validation", "anchored"], value: event.currentTarget.checked || undefined })
            }
            disabled={isLocked}
          />
        </div>
      )}
      {fault && (
        <Text size="xs" c="var(--mantine-color-error)">
          {fault}
        </Text>
      )}
    </Stack>
  );
}

function Length({ path, label }: { path: string; label: string }) {
  const { scene, isLocked, edit } = useScene();
  const value = at(scene, ["validation", path]);
  return (
    <TextInput
      label={label}
      placeholder="90d, 12h, 500c"
      value={typeof value === "string" ? value : ""}
      onChange={(event) =>
        edit({ path: ["validation", path], value: event.currentTarget.value || undefined })
      }
      disabled={isLocked}
    />
  );
}

function Holdout() {
  const { scene, isLocked, edit } = useScene();
  const fault = useFault("holdout");
  const start = at(scene, ["holdout", "start"]);
  const isOn = typeof scene.holdout === "object" && scene.holdout !== null;
  const toggle = () =>
    edit({ path: ["holdout"], value: isOn ? undefined : { start: lastFifth(scene.start, scene.end) } });
  return (
    <Stack gap={6}>
      <Switch
        label="Holdout"
        description="Keep the end of the span; the winner runs on it once."
        checked={isOn}
        onChange={toggle}
        disabled={isLocked}
      />
      {isOn && (
        <TextInput
          label="Holdout from (UTC)"
          type="date"
          w={190}
          value={typeof start === "string" ? start.slice(0, 10) : ""}
          onChange={(event) =>
            edit({
              path: ["holdout", "start"],
              value: event.currentTarget.value ? `${event.currentTarget.value}T00:00:00Z` : undefined,
            })
          }
          disabled={isLocked}
          error={fault}
        />
      )}
    </Stack>
  );
}

/** Return the day on which the last fifth of a span begins. */
export function lastFifth(start: unknown, end: unknown): string {
  const first = Date.parse(String(start));
  const last = Date.parse(String(end));
  const ms = Number.isNaN(first) || Number.isNaN(last) ? Date.now() : first + 0.8 * (last - first);
  return new Date(Math.floor(ms / DAY_MS) * DAY_MS).toISOString().replace(".000Z", "Z");
}
