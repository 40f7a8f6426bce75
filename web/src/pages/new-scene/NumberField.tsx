import { TextInput, type TextInputProps } from "@mantine/core";
import { useEffect, useState } from "react";
import { readNumber } from "./variation";

interface Props extends Omit<TextInputProps, "value" | "onChange"> {
  value: number | null | undefined;
  /** undefined: the field was emptied */
  onValue: (value: number | undefined) => void;
  isWhole?: boolean;
}

/** A number that is typed. What is half typed stays, and changes nothing until it is a number. */
export function NumberField({ value, onValue, isWhole = false, error, ...rest }: Props) {
  const [text, setText] = useState(written(value));
  const typed = text.trim() === "" ? undefined : readNumber(text);
  // The text follows a change from elsewhere, but `0.10` stays `0.10` while it means the same.
  useEffect(() => {
    setText((before) => {
      const meant = before.trim() === "" ? undefined : readNumber(before);
      return meant === (value ?? undefined) ? before : written(value);
    });
  }, [value]);
  const fault =
    typed === null
      ? "A number, please."
      : isWhole && typed && !Number.isInteger(typed)
        ? "A whole number, please."
        : null;
  return (
    <TextInput
      {...rest}
      inputMode="decimal"
      autoComplete="off"
      value={text}
      error={fault ?? error}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setText(next);
        const meant = next.trim() === "" ? undefined : readNumber(next);
        if (meant !== null) onValue(meant);
      }}
    />
  );
}

function written(value: number | null | undefined): string {
  return value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
}
