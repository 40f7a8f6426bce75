import { Group, Text, Title } from "@mantine/core";
import { type ReactNode, useId } from "react";

interface Props {
  title?: ReactNode;
  /** What stands at the right of the title. */
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}

/** A part of a page with a heading. */
export function Panel({ title, aside, children, className = "" }: Props) {
  const id = useId();
  return (
    <section className={`mela-panel ${className}`} aria-labelledby={title ? id : undefined}>
      {(title || aside) && (
        <Group justify="space-between" mb="sm" gap="xs">
          {title && (
            <Title order={2} id={id}>
              {title}
            </Title>
          )}
          {aside}
        </Group>
      )}
      {children}
    </section>
  );
}

/** What the sums of money in a panel are counted in. */
export function InMoney({ quote }: { quote: string }) {
  if (!quote) return null;
  return (
    <Text size="sm" className="mela-muted">
      Money in {quote}
    </Text>
  );
}
