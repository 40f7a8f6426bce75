import { Group, SegmentedControl, Select, Stack, Text, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { formatNumber } from "../../components/format";
import styles from "./NewScene.module.css";
import { NumberField } from "./NumberField";
import { useFault, useScene } from "./sceneContext";
import type { Value } from "./sceneText";
import type { ParamField } from "./schema";
import { countOf, editsFor, readList, type Variation, variationOf, writeList } from "./variation";

interface Props {
  /** Path of the parameter: `strategy.params.fast` */
  path: string;
  label: string;
  field: ParamField;
}

const WAYS = [
  { value: "fixed", label: "one value" },
  { value: "list", label: "list" },
  { value: "range", label: "range" },
];

/** One parameter: one value, a list of values, or a range with a step. */
export function ParamRow({ path, label, field }: Props) {
  const { scene, isLocked, edit } = useScene();
  const variation = variationOf(scene, path);
  const fault = useFault(path, `search.space.${path}`);
  const isNumber = field.kind === "integer" || field.kind === "number";
  const set = (next: Variation) => edit(...editsFor(scene, path, next));
  const count = countOf(variation);
  const ways = [
    ...WAYS.filter((way) => isNumber || way.value !== "range"),
    ...(variation.kind === "draw" ? [{ value: "draw", label: "drawn" }] : []),
  ];

  return (
    <fieldset className={styles.param} disabled={isLocked} data-param={path}>
      <legend className={styles.hidden}>{label}</legend>
      <div className={styles.paramName}>
        <Text fw={550} component="span">
          {label}
        </Text>
        <Text size="xs" className="mela-muted">
          {[field.description, field.bounds].filter(Boolean).join("; ")}
        </Text>
      </div>
      <SegmentedControl
        size="xs"
        aria-label={`How ${label} varies`}
        data={ways}
        value={variation.kind}
        onChange={(kind) => set(turned(variation, kind as Variation["kind"], field))}
        disabled={isLocked}
      />
      <div className={styles.paramValue}>
        <ParamValue label={label} field={field} variation={variation} onVariation={set} fault={fault} />
      </div>
      <Text size="xs" className={`${styles.paramCount} mela-muted`}>
        {variation.kind === "fixed"
          ? ""
          : count === null
            ? "drawn"
            : `${formatNumber(count, "count")} values`}
      </Text>
    </fieldset>
  );
}

interface ValueProps {
  label: string;
  field: ParamField;
  variation: Variation;
  onVariation: (variation: Variation) => void;
  fault: string | null;
}

function ParamValue({ label, field, variation, onVariation, fault }: ValueProps) {
  const isWhole = field.kind === "integer";
  switch (variation.kind) {
    case "fixed":
      if (field.kind === "boolean" || field.kind === "choice") {
        const options = field.kind === "boolean" ? [true, false] : field.options;
        return (
          <Select
            aria-label={label}
            data={options.map(String)}
            value={variation.value === undefined ? null : String(variation.value)}
            placeholder={String(field.default ?? "")}
            clearable
            error={fault}
            onChange={(text) => {
              const value = options.find((one) => String(one) === text);
              onVariation({ kind: "fixed", value });
            }}
          />
        );
      }
      if (field.kind === "text") {
        return (
          <TextInput
            aria-label={label}
            autoComplete="off"
            spellCheck={false}
            placeholder={String(field.default ?? field.example)}
            value={typeof variation.value === "string" ? variation.value : ""}
            error={fault}
            onChange={(event) => {
              const text = event.currentTarget.value;
              onVariation({ kind: "fixed", value: text === "" ? undefined : text });
            }}
          />
        );
      }
      return (
        <NumberField
          aria-label={label}
          isWhole={isWhole}
          placeholder={field.default === null || field.default === undefined ? "none" : String(field.default)}
          value={typeof variation.value === "number" ? variation.value : undefined}
          onValue={(value) => onVariation({ kind: "fixed", value })}
          error={fault}
        />
      );
    case "list":
      return (
        <ListField
          label={`Values of ${label}`}
          values={variation.values}
          isWhole={isWhole}
          example={field.kind === "text" ? field.example : null}
          options={field.kind === "choice" ? field.options : field.kind === "boolean" ? [true, false] : null}
          onValues={(values) => onVariation({ kind: "list", values })}
          fault={fault}
        />
      );
    case "range":
      return (
        <Stack gap={2}>
          <Group gap={6} wrap="nowrap">
            {(["from", "to", "step"] as const).map((part) => (
              <NumberField
                key={part}
                aria-label={`${label}: ${part}`}
                title={part}
                leftSection={<span className={styles.part}>{part}</span>}
                leftSectionWidth={44}
                isWhole={isWhole}
                value={variation[part]}
                onValue={(value) => value !== undefined && onVariation({ ...variation, [part]: value })}
              />
            ))}
          </Group>
          {fault && (
            <Text size="xs" c="var(--mantine-color-error)">
              {fault}
            </Text>
          )}
        </Stack>
      );
    case "draw":
      return (
        <Group gap={6} wrap="nowrap">
          {(["low", "high"] as const).map((part) => (
            <NumberField
              key={part}
              aria-label={`${label}: ${part}`}
              leftSection={<span className={styles.part}>{part}</span>}
              leftSectionWidth={44}
              isWhole={variation.integer}
              value={variation[part]}
              onValue={(value) => value !== undefined && onVariation({ ...variation, [part]: value })}
              error={part === "low" ? fault : undefined}
            />
          ))}
        </Group>
      );
  }
}

interface ListProps {
  label: string;
  values: Value[];
  isWhole: boolean;
  /** Of values that are texts, one of them; null where they are none */
  example: string | null;
  options: Value[] | null;
  onValues: (values: Value[]) => void;
  fault: string | null;
}

/** Values separated by commas; `none` stands for no value. */
function ListField({ label, values, isWhole, example: word, options, onValues, fault }: ListProps) {
  const asRead = (text: string) =>
    word !== null ? readWords(text) : options ? readOptions(text, options) : readList(text, isWhole);
  const [text, setText] = useState(writeList(values));
  const meant = asRead(text);
  const kept = JSON.stringify(values);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was typed stays while it means the same
  useEffect(() => {
    setText((before) => (JSON.stringify(asRead(before)) === kept ? before : writeList(values)));
  }, [kept]);
  const example = word || (options ? options.join(", ") : isWhole ? "5, 10, 20" : "none, 0.02, 0.05");
  return (
    <TextInput
      aria-label={label}
      placeholder={example}
      value={text}
      autoComplete="off"
      error={meant === null ? `Values separated by commas, as ${example}.` : fault}
      onChange={(event) => {
        setText(event.currentTarget.value);
        const next = asRead(event.currentTarget.value);
        if (next) onValues(next);
      }}
    />
  );
}

function readWords(text: string): Value[] | null {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  return words.length > 0 ? words : null;
}

function readOptions(text: string, options: readonly Value[]): Value[] | null {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  const values = words.map((word) => options.find((one) => String(one) === word));
  return values.length > 0 && values.every((value) => value !== undefined) ? (values as Value[]) : null;
}

/** Return another way for a parameter to vary, beginning with the values that it has. */
export function turned(variation: Variation, kind: Variation["kind"], field: ParamField): Variation {
  if (kind === variation.kind) return variation;
  const first = firstOf(variation, field);
  switch (kind) {
    case "fixed":
      return { kind, value: first ?? undefined };
    case "list":
      return { kind, values: listFrom(variation, first) };
    default: {
      const from = typeof first === "number" ? first : 0.01;
      const step = field.kind === "integer" ? Math.max(1, Math.round(Math.abs(from) / 4)) : nice(from / 4);
      return { kind: "range", from, to: Number((from + 4 * step).toPrecision(12)), step };
    }
  }
}

function firstOf(variation: Variation, field: ParamField): Value {
  const asValue = (value: unknown): Value =>
    typeof value === "number" || typeof value === "boolean" || typeof value === "string" ? value : null;
  switch (variation.kind) {
    case "fixed":
      return asValue(variation.value ?? field.default);
    case "list":
      return variation.values.find((value) => value !== null) ?? null;
    case "range":
      return variation.from;
    case "draw":
      return variation.low;
  }
}

function listFrom(variation: Variation, first: Value): Value[] {
  if (variation.kind !== "range") return [first];
  const count = Math.min(countOf(variation) ?? 1, 20);
  return Array.from({ length: count }, (_, place) =>
    Number((variation.from + place * variation.step).toPrecision(12)),
  );
}

/** Round to one digit that people choose: 0.0125 is 0.01. */
function nice(value: number): number {
  return value > 0 ? Number(value.toPrecision(1)) : 0.01;
}
