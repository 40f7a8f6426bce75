import { python } from "@codemirror/lang-python";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import { styleNonce } from "../../nonce";

// CodeMirror's own colours for light pages have too little contrast.
const LIGHT = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "#6f2da8" },
  { tag: [tags.string, tags.special(tags.string)], color: "#1f6b2c" },
  { tag: [tags.number, tags.bool, tags.null], color: "#8a4b00" },
  { tag: [tags.comment, tags.docString], color: "#5a6370" },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName))],
    color: "#1f4f9e",
  },
  { tag: [tags.className, tags.typeName], color: "#00634f" },
  { tag: tags.meta, color: "#7a5200" },
]);

const DARK = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "#c9a3f0" },
  { tag: [tags.string, tags.special(tags.string)], color: "#9fd08a" },
  { tag: [tags.number, tags.bool, tags.null], color: "#f0b37a" },
  { tag: [tags.comment, tags.docString], color: "#9aa7b3" },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName))],
    color: "#8db4f5",
  },
  { tag: [tags.className, tags.typeName], color: "#6fd3c0" },
  { tag: tags.meta, color: "#e3b341" },
]);

const LOOK = EditorView.theme({
  "&": { fontSize: "12.5px", backgroundColor: "var(--mela-surface)", color: "inherit" },
  ".cm-scroller": {
    overflow: "auto",
    maxHeight: "70vh",
    fontFamily: "var(--mantine-font-family-monospace)",
    lineHeight: "18px",
  },
  ".cm-gutters": {
    backgroundColor: "var(--mela-sunken)",
    color: "var(--mela-muted)",
    borderRight: "1px solid var(--mela-line)",
  },
});

/** Source in Python, highlighted, to read only. */
export default function Source({ source, label }: { source: string; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme("light");
  useEffect(() => {
    if (!box.current) return;
    const view = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: source,
        extensions: [
          lineNumbers(),
          python(),
          syntaxHighlighting(scheme === "dark" ? DARK : LIGHT),
          LOOK,
          EditorState.readOnly.of(true),
          EditorView.editable.of(false),
          EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          EditorView.cspNonce.of(styleNonce()),
        ],
      }),
    });
    return () => view.destroy();
  }, [source, label, scheme]);
  return <div ref={box} />;
}
