import { NumberInput } from "@mantine/core";

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

/** A limit of a quota, to be typed. */
export function Limit({ label, value, onChange }: LimitProps) {
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
