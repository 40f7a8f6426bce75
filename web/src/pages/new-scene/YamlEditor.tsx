import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { styleNonce } from "../../nonce";
import styles from "./NewScene.module.css";

export interface Marked {
  from: number;
  to: number;
  message: string;
}

interface Props {
  label: string;
  text: string;
  onText?: (text: string) => void;
  marks?: readonly Marked[];
}

/** A scene's YAML: coloured, with its faults marked where they are. Without onText it is to read only. */
export default function YamlEditor({ label, text, onText, marks = [] }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const told = useRef(onText);
  told.current = onText;
  const isReadOnly = onText === undefined;
  const first = useRef(text);

  useEffect(() => {
    if (!box.current) return;
    const access = new Compartment();
    const made = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          yaml(),
          syntaxHighlighting(classHighlighter),
          indentUnit.of("  "),
          // Tab moves on to the next field, as everywhere on the page.
          keymap.of([...defaultKeymap, ...historyKeymap]),
          EditorView.lineWrapping,
          EditorView.cspNonce.of(styleNonce()),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
          access.of([EditorState.readOnly.of(isReadOnly), EditorView.editable.of(true)]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !update.transactions.some((one) => one.isUserEvent("follow"))) {
              told.current?.(update.state.doc.toString());
            }
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [label, isReadOnly]);

  // Only what differs is replaced, so that the cursor and what can be undone stay.
  useEffect(() => {
    first.current = text;
    const editor = view.current;
    const change = editor && difference(editor.state.doc.toString(), text);
    if (editor && change) editor.dispatch({ changes: change, userEvent: "follow" });
  }, [text]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const end = editor.state.doc.length;
    const diagnostics: Diagnostic[] = marks.map(({ from, to, message }) => ({
      from: Math.min(from, end),
      to: Math.min(to, end),
      message,
      severity: "error",
    }));
    editor.dispatch(setDiagnostics(editor.state, diagnostics));
  }, [marks]);

  return <div ref={box} className={styles.editor} data-yaml />;
}

/** Return the smallest replacement that turns one text into another; null for equal ones. */
export function difference(
  before: string,
  after: string,
): { from: number; to: number; insert: string } | null {
  if (before === after) return null;
  let from = 0;
  const shorter = Math.min(before.length, after.length);
  while (from < shorter && before[from] === after[from]) from++;
  let tail = 0;
  while (tail < shorter - from && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  return { from, to: before.length - tail, insert: after.slice(from, after.length - tail) };
}
