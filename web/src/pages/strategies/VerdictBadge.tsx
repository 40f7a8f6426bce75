import { Badge } from "@mantine/core";
import { CircleCheck, CircleDashed, CircleX, TriangleAlert } from "lucide-react";

const VERDICTS = {
  clean: { label: "no lookahead found", color: "teal", Icon: CircleCheck },
  found: { label: "looks ahead", color: "red", Icon: CircleX },
  depends_on_history: { label: "depends on its start", color: "yellow", Icon: TriangleAlert },
  not_verified: { label: "not checked", color: "gray", Icon: CircleDashed },
} as const;

/** What a lookahead check found. */
export function VerdictBadge({ verdict }: { verdict: string }) {
  const { label, color, Icon } = VERDICTS[verdict as keyof typeof VERDICTS] ?? VERDICTS.not_verified;
  return (
    <Badge
      variant="default"
      size="sm"
      tt="none"
      fw={500}
      c={`var(--mantine-color-${color}-text)`}
      leftSection={<Icon size={13} aria-hidden />}
      style={{ flexShrink: 0 }}
    >
      {label}
    </Badge>
  );
}
