import { NumberInput, Table } from "@mantine/core";

/** Write a limit: null is the default of the settings, 0 none. */
export function limitText(limit: number | null): string {
  if (limit === null) return "default";
  return limit === 0 ? "any" : limit.toLocaleString("en-US");
}

interface LimitProps {
  label: string;
  value: number | null;
  onChange: (value: number | null) => void;
}

function Limit({ label, value, onChange }: LimitProps) {
  return (
    <NumberInput
      label={label}
      description="Empty: the default of the settings. 0: any number."
      placeholder="default"
      min={0}
      max={2_147_483_647}
      allowDecimal={false}
      thousandSeparator=","
      value={value ?? ""}
      onChange={(next) => onChange(next === "" ? null : Number(next))}
    />
  );
}

/** The heads of a table's columns of quotas. */
export function QuotaHeads() {
  return (
    <>
      <Table.Th scope="col" className="mela-number">
        Runs a day
      </Table.Th>
      <Table.Th scope="col" className="mela-number">
        Scenes at once
      </Table.Th>
    </>
  );
}

export interface Limits {
  runs_per_day: number | null;
  scenes_at_once: number | null;
}

/** The cells below them. */
export function QuotaCells({ limits }: { limits: Limits }) {
  return (
    <>
      <Table.Td className="mela-number">{limitText(limits.runs_per_day)}</Table.Td>
      <Table.Td className="mela-number">{limitText(limits.scenes_at_once)}</Table.Td>
    </>
  );
}

interface QuotaFieldsProps {
  limits: Limits;
  onChange: (limits: Limits) => void;
}

/** A quota, to be typed. */
export function QuotaFields({ limits, onChange }: QuotaFieldsProps) {
  return (
    <>
      <Limit
        label="Runs a day"
        value={limits.runs_per_day}
        onChange={(runs_per_day) => onChange({ ...limits, runs_per_day })}
      />
      <Limit
        label="Scenes at once"
        value={limits.scenes_at_once}
        onChange={(scenes_at_once) => onChange({ ...limits, scenes_at_once })}
      />
    </>
  );
}
