import { useEffect, useRef } from "react";

/** How long the second key of a pair such as `g s` may take. */
const PAIR_MS = 1_200;

/** Say whether keys pressed on an element are text that somebody types. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Call an action for a key (`?`) or a pair of keys (`g s`), unless somebody types into a field. */
export function useKeys(actions: Record<string, () => void>): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    let first: { key: string; at: number } | null = null;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const isPair = first !== null && event.timeStamp - first.at < PAIR_MS;
      const name = isPair ? `${first?.key} ${event.key}` : event.key;
      first = isPair ? null : { key: event.key, at: event.timeStamp };
      const action = latest.current[name];
      if (!action) return;
      event.preventDefault();
      first = null;
      action();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
