import type { ReactNode } from "react";
import styles from "./Sideways.module.css";

/** What is wider than its place: it scrolls by itself, by keyboard too, and the page does not. */
export function Sideways({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a region that scrolls must be reached by keyboard
    <div
      className={styles.sideways}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: so that arrow keys scroll it
      tabIndex={0}
      role="region"
      aria-label={label}
    >
      {children}
    </div>
  );
}
