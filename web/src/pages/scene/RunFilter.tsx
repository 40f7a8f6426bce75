import { Button, Group, MultiSelect, Popover, Select, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Columns3, ListFilter } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { SceneDetail } from "../../client";
import { paramName } from "../../components/format";
import { metricLabel, useMetrics } from "../../components/metrics";
import { NumberField } from "../new-scene/NumberField";
import { type Condition, OPS } from "./runsQuery";
import { axesOf } from "./tabs";

interface Props {
  scene: SceneDetail;
  shown: readonly string[];
  onAdd: (condition: Condition) => void;
  onShown: (names: string[]) => void;
}

/** Conditions on the runs, and which metrics the table shows. */
export function RunFilter({ scene, shown, onAdd, onShown }: Props) {
  const metrics = useMetrics();
  const [isOpen, filter] = useDisclosure(false);
  const names = [...metrics.keys()];
  const axes = axesOf(scene)
    .map((one) => one.path)
    .filter((path) => path !== "instrument");
  const [name, setName] = useState<string>("trades");
  const [op, setOp] = useState<string>("ge");
  const [value, setValue] = useState<number | undefined>();
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (value === undefined) return;
    onAdd({ name, op, value: String(value) });
    filter.close();
  };
  return (
    <>
      <Popover
        opened={isOpen}
        onChange={filter.toggle}
        position="bottom-start"
        withArrow
        shadow="md"
        trapFocus
      >
        <Popover.Target>
          <Button
            size="xs"
            variant="default"
            leftSection={<ListFilter size={14} aria-hidden />}
            onClick={filter.toggle}
          >
            Filter
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <form onSubmit={onSubmit}>
            <Stack gap="xs">
              <Group gap="xs" wrap="nowrap" align="flex-end">
                <Select
                  label="Metric or parameter"
                  searchable
                  allowDeselect={false}
                  data={[
                    {
                      group: "Parameters",
                      items: axes.map((path) => ({ value: path, label: paramName(path) })),
                    },
                    {
                      group: "Metrics",
                      items: names.map((one) => ({ value: one, label: metricLabel(one) })),
                    },
                  ]}
                  value={name}
                  onChange={(next) => next && setName(next)}
                  comboboxProps={{ withinPortal: false }}
                  w={190}
                />
                <Select
                  label="is"
                  allowDeselect={false}
                  data={OPS.map((one) => ({ value: one.value, label: one.label }))}
                  value={op}
                  onChange={(next) => next && setOp(next)}
                  comboboxProps={{ withinPortal: false }}
                  w={72}
                />
                <NumberField label="Value" value={value} onValue={setValue} w={96} placeholder="5 %" />
              </Group>
              <Button size="xs" type="submit" disabled={value === undefined}>
                Show only these
              </Button>
            </Stack>
          </form>
        </Popover.Dropdown>
      </Popover>
      <Popover position="bottom-start" withArrow shadow="md" trapFocus width={320}>
        <Popover.Target>
          <Button size="xs" variant="default" leftSection={<Columns3 size={14} aria-hidden />}>
            Metrics
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <MultiSelect
            label="Metrics in the table"
            searchable
            data={names.map((one) => ({ value: one, label: metricLabel(one) }))}
            value={[...shown]}
            onChange={onShown}
            maxValues={16}
            comboboxProps={{ withinPortal: false }}
          />
        </Popover.Dropdown>
      </Popover>
    </>
  );
}
