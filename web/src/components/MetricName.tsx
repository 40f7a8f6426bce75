import { Popover, Text, UnstyledButton } from "@mantine/core";
import { metricLabel, useMetrics } from "./metrics";

/** A metric's name; a click opens what it means. */
export function MetricName({ name, short }: { name: string; short?: string }) {
  const metric = useMetrics().get(name);
  if (!metric) return <span>{short ?? metricLabel(name)}</span>;
  return (
    <Popover width={320} position="bottom-start" withArrow shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <UnstyledButton
          component="button"
          className="mela-defined"
          aria-label={`${metricLabel(name)}: what it means`}
        >
          {short ?? metricLabel(name)}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Text fw={600} size="sm">
          {metricLabel(name)}
        </Text>
        <Text size="sm" mt={4}>
          {metric.definition}
        </Text>
        <Text size="xs" mt={6} className="mela-muted">
          Unit: {metric.unit}. {metric.better === "higher" ? "Higher is better." : "Lower is better."}
          {metric.undefined && ` Undefined: ${metric.undefined}`}
        </Text>
      </Popover.Dropdown>
    </Popover>
  );
}
