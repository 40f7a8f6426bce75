/** The parameters of a strategy, read from the JSON Schema of its model. */

export interface Parameter {
  name: string;
  type: string;
  fallback: unknown;
  /** Bounds in words: `≥ 2`, `> 0 and < 1`; empty without any */
  bounds: string;
  description: string;
}

type Schema = Record<string, unknown>;

const BOUNDS: readonly [string, string][] = [
  ["minimum", "≥"],
  ["exclusiveMinimum", ">"],
  ["maximum", "≤"],
  ["exclusiveMaximum", "<"],
];

/** Return the parameters in the order in which the model declares them. */
export function parametersOf(schema: Schema, defaults: Record<string, unknown>): Parameter[] {
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  return Object.entries(properties).map(([name, property]) => {
    const own = resolved(property, schema);
    return {
      name,
      type: typeOf(own, schema),
      fallback: name in defaults ? defaults[name] : property.default,
      bounds: boundsOf(own, schema),
      description: String(property.description ?? own.description ?? ""),
    };
  });
}

function resolved(property: Schema, root: Schema): Schema {
  const name = /^#\/\$defs\/(.+)$/.exec(String(property.$ref ?? ""))?.[1];
  return name ? (((root.$defs ?? {}) as Record<string, Schema>)[name] ?? property) : property;
}

function alternatives(property: Schema, root: Schema): Schema[] {
  const all = (property.anyOf ?? property.oneOf) as Schema[] | undefined;
  return (all ?? [property]).map((one) => resolved(one, root));
}

function typeOf(property: Schema, root: Schema): string {
  if (Array.isArray(property.enum)) return property.enum.map(String).join(" | ");
  const names: Record<string, string> = {
    integer: "whole number",
    number: "number",
    string: "text",
    boolean: "yes or no",
    null: "none",
    array: "list",
    object: "group",
  };
  const all = alternatives(property, root).map((one) =>
    Array.isArray(one.enum) ? one.enum.map(String).join(" | ") : (names[String(one.type)] ?? "value"),
  );
  return [...new Set(all)].join(" or ");
}

/** Say whether a bound tells something: whole numbers end at 2^53, as JSON's do. */
function isBound(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER;
}

function boundsOf(property: Schema, root: Schema): string {
  const found = alternatives(property, root).flatMap((one) =>
    BOUNDS.filter(([name]) => isBound(one[name])).map(([name, sign]) => `${sign} ${one[name]}`),
  );
  return found.join(" and ");
}
