import { CircleCheck, CircleDashed, CircleX, TriangleAlert } from "lucide-react";

const VERDICTS = {
  clean: { label: "no lookahead found", colour: "var(--mela-gain)", Icon: CircleCheck },
  found: { label: "looks ahead", colour: "var(--mela-loss)", Icon: CircleX },
  depends_on_history: { label: "depends on its start", colour: "var(--mela-warn)", Icon: TriangleAlert },
  not_verified: { label: "not checked", colour: "var(--mela-muted)", Icon: CircleDashed },
} as const;

/** What a lookahead check found: a shape, words and a colour. */
export function VerdictBadge({ verdict }: { verdict: string }) {
  const { label, colour, Icon } = VERDICTS[verdict as keyof typeof VERDICTS] ?? VERDICTS.not_verified;
  return (
    <span
      style={{
        display: "inline-flex",
        alignItems: "center",
        gap: 4,
        flexShrink: 0,
        color: colour,
        fontSize: "var(--mantine-font-size-sm)",
      }}
    >
      <Icon size={14} aria-hidden />
      {label}
    </span>
  );
}
