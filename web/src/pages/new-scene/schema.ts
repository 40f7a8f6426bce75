/** What a JSON Schema says of a parameter, as far as a form needs it. */

import type { Value } from "./sceneText";

export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: Value[];
  examples?: unknown[];
  const?: Value;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  $ref?: string;
}

export interface ParamField {
  name: string;
  kind: "integer" | "number" | "boolean" | "choice" | "text" | "other";
  options: Value[];
  canBeNull: boolean;
  default: unknown;
  /** A value as somebody may write it; empty where the strategy gives none */
  example: string;
  isRequired: boolean;
  description: string;
  /** The bounds in words: `2 to 100`, `above 0` */
  bounds: string;
}

/** Return the parameters of a strategy, in the order in which it declares them. */
export function fieldsOf(schema: Schema): ParamField[] {
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const some = property.anyOf ?? [property];
    const real = some.filter((one) => one.type !== "null");
    const one = real[0] ?? property;
    const isPlain = real.length === 1 && one.$ref === undefined;
    return {
      name,
      kind: isPlain ? kindOf(one) : "other",
      options: one.enum ?? [],
      canBeNull: real.length < some.length,
      default: property.default,
      example: String(property.examples?.[0] ?? ""),
      isRequired: schema.required?.includes(name) ?? false,
      description: property.description ?? one.description ?? "",
      bounds: boundsOf(one),
    };
  });
}

function kindOf(schema: Schema): ParamField["kind"] {
  if (schema.enum) return "choice";
  if (schema.type === "integer" || schema.type === "number" || schema.type === "boolean") return schema.type;
  return schema.type === "string" ? "text" : "other";
}

/** Integers that JSON can carry exactly end here; such a bound says nothing to a person. */
const EXACT = Number.MAX_SAFE_INTEGER;

function boundsOf(schema: Schema): string {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  const hasLow = low !== undefined && Math.abs(low) < EXACT;
  const hasHigh = high !== undefined && Math.abs(high) < EXACT;
  const isOpen = schema.minimum === undefined;
  const isOpenAbove = schema.maximum === undefined;
  if (hasLow && hasHigh && !isOpen && !isOpenAbove) return `${low} to ${high}`;
  const words: string[] = [];
  if (hasLow) words.push(isOpen ? `above ${low}` : `at least ${low}`);
  if (hasHigh) words.push(isOpenAbove ? `below ${high}` : `at most ${high}`);
  return words.join(", ");
}
