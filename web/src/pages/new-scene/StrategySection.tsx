import { Select, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { getStrategyOptions, listStrategiesOptions } from "../../client/@tanstack/react-query.gen";
import { Panel } from "../../components/Panel";
import { ProblemView } from "../../components/ProblemView";
import { ParamRow } from "./ParamRow";
import { useFault, useScene } from "./sceneContext";
import { at } from "./sceneText";
import { fieldsOf, type Schema } from "./schema";

/** Which strategy, and the values of its parameters, as its own schema declares them. */
export function StrategySection() {
  const { scene, isLocked, edit, faults } = useScene();
  const name = at(scene, ["strategy", "name"]);
  const strategy = typeof name === "string" ? name : null;
  const all = useQuery({ ...listStrategiesOptions(), staleTime: 30_000 });
  const one = useQuery({
    ...getStrategyOptions({ path: { name: strategy ?? "" } }),
    enabled: strategy !== null && (all.data?.items.some((row) => row.name === strategy) ?? false),
    staleTime: 30_000,
  });
  const nameFault = useFault("strategy.name");
  const whole = faults.filter(({ field }) => field === "strategy" || field === "strategy.params");
  const fields = one.data ? fieldsOf(one.data.schema as Schema) : [];
  const choose = (next: string | null) => {
    if (next === null || next === strategy) return;
    // Parameters belong to their strategy: another one knows none of them.
    const varied = Object.keys((at(scene, ["search", "space"]) ?? {}) as object);
    const stale = varied.filter((path) => path.startsWith("strategy.params."));
    const last = stale.length > 0 && stale.length === varied.length;
    edit(
      ...(last
        ? [{ path: ["search"], value: undefined }]
        : stale.map((path) => ({ path: ["search", "space", path], value: undefined }))),
      { path: ["strategy", "params"], value: undefined },
      { path: ["strategy", "name"], value: next },
    );
  };

  return (
    <Panel
      title="Strategy"
      aside={
        strategy && (
          <Link to="/strategies/$name" params={{ name: strategy }} className="mela-quiet-link">
            What it does
          </Link>
        )
      }
    >
      <Stack gap="xs">
        {all.isError && <ProblemView error={all.error} onRetry={() => void all.refetch()} />}
        <Select
          label="Strategy"
          searchable
          allowDeselect={false}
          data={all.data?.items.map((row) => row.name) ?? (strategy ? [strategy] : [])}
          value={strategy}
          onChange={choose}
          disabled={isLocked}
          error={nameFault}
        />
        {one.data?.summary && (
          <Text size="sm" className="mela-muted">
            {one.data.summary}
          </Text>
        )}
        {one.isError && <ProblemView error={one.error} onRetry={() => void one.refetch()} />}
        {one.data && fields.length === 0 && (
          <Text size="sm" className="mela-muted">
            This strategy has no parameters.
          </Text>
        )}
        <div>
          {fields.map((field) =>
            field.kind === "other" ? (
              <Text key={field.name} size="sm" py={8} className="mela-muted">
                <b>{field.name}</b>: {field.description}. Write it in the YAML.
              </Text>
            ) : (
              <ParamRow
                key={field.name}
                path={`strategy.params.${field.name}`}
                label={field.name}
                field={field}
              />
            ),
          )}
        </div>
        {whole.map((fault) => (
          <Text key={fault.message} size="sm" c="var(--mantine-color-error)">
            {fault.message}
          </Text>
        ))}
      </Stack>
    </Panel>
  );
}
