/**
 * A scene as YAML text and as values, each following the other.
 *
 * The text is what is kept: an edit of the form changes only the lines that it is about, so that comments,
 * the order of fields and fields that the form does not know stay as somebody typed them.
 */

import { type Document, isMap, type Pair, parseDocument, type YAMLMap } from "yaml";

export type Value = string | number | boolean | null;
export type Json = Value | Json[] | { [key: string]: Json | undefined };
export type Fields = { [key: string]: Json | undefined };
export type Path = readonly string[];

export interface Read {
  /** null where the text is no mapping, or cannot be read */
  scene: Fields | null;
  /** Why the text cannot be read, and where (offsets into it) */
  faults: { message: string; from: number; to: number }[];
}

/** Read a scene's text. */
export function read(text: string): Read {
  const document = parseDocument(text, { prettyErrors: false });
  const faults = document.errors.map((error) => ({
    message: error.message,
    from: error.pos[0],
    to: Math.max(error.pos[1], error.pos[0] + 1),
  }));
  if (faults.length) return { scene: null, faults };
  if (!isMap(document.contents)) {
    const message = "A scene is a mapping of fields, as `interval: 1h`.";
    return { scene: null, faults: [{ message, from: 0, to: text.length }] };
  }
  return { scene: document.toJS() as Fields, faults: [] };
}

/** Return the value at a path, or undefined. */
export function at(scene: Json | undefined, path: Path): Json | undefined {
  let here: Json | undefined = scene;
  for (const key of path) {
    if (here === null || typeof here !== "object" || Array.isArray(here)) return undefined;
    here = here[key];
  }
  return here;
}

export interface Edit {
  path: Path;
  /** undefined takes the field away, and maps that are empty then */
  value: Json | undefined;
}

/** Return the text with some fields changed. The text must be a mapping. */
export function edited(text: string, edits: readonly Edit[]): string {
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length || !isMap(document.contents)) return text;
  for (const { path, value } of edits) {
    if (value === undefined) take(document, path);
    else put(document, path, value);
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function put(document: Document, path: Path, value: Json): void {
  // A field that is set to a value, as in `exits: null`, becomes a mapping of what is put into it.
  for (let depth = 1; depth < path.length; depth++) {
    const parent = path.slice(0, depth);
    if (!isMap(document.getIn(parent, true))) document.setIn(parent, newMap(document, depth > 1));
  }
  const node = document.createNode(value);
  // What the form writes stands on one line, as people write it.
  if (typeof value === "object" && value !== null) (node as YAMLMap).flow = true;
  document.setIn(path, node);
}

function newMap(document: Document, isFlow: boolean): YAMLMap {
  const map = document.createNode({}) as YAMLMap;
  map.flow = isFlow;
  return map;
}

function take(document: Document, path: Path): void {
  if (!document.hasIn(path)) return;
  document.deleteIn(path);
  for (let depth = path.length - 1; depth > 0; depth--) {
    const parent = document.getIn(path.slice(0, depth), true);
    if (!isMap(parent) || parent.items.length > 0) return;
    document.deleteIn(path.slice(0, depth));
  }
}

/** Return where in the text a field of a fault stands, or its nearest parent; null for the whole. */
export function placeOf(text: string, field: string | null): { from: number; to: number } | null {
  if (!field) return null;
  const document = parseDocument(text, { prettyErrors: false });
  let found: { from: number; to: number } | null = null;
  let here: unknown = document.contents;
  let rest = field.replace(/\[(\d+)\]/g, ".$1").split(".");
  while (rest.length > 0 && isMap(here)) {
    const step = longestKey(here, rest);
    if (!step) break;
    const { range } = step.pair.key as { range?: [number, number, number] };
    if (range) found = { from: range[0], to: range[1] };
    here = step.pair.value;
    rest = rest.slice(step.taken);
  }
  return found;
}

/** Find the longest key that begins a path: a key may hold dots, as `strategy.params.fast` in a space. */
function longestKey(map: YAMLMap, path: readonly string[]): { pair: Pair; taken: number } | null {
  for (let taken = path.length; taken > 0; taken--) {
    const key = path.slice(0, taken).join(".");
    const pair = map.items.find((item) => String(item.key) === key);
    if (pair) return { pair, taken };
  }
  return null;
}
