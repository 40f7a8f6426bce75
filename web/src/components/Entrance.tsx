import { Paper, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Mark } from "../shell/Mark";
import styles from "./Entrance.module.css";

/** The frame of the pages that somebody sees who is not signed in. */
export function Entrance({
  title,
  hint,
  children,
}: {
  title: string;
  hint?: ReactNode;
  children: ReactNode;
}) {
  return (
    <main className={styles.page}>
      <Paper className={styles.card} withBorder p="lg" radius="md">
        <Stack gap="md">
          <div className={styles.brand}>
            <Mark size={32} />
            <div>
              <Title order={1}>{title}</Title>
              {hint && (
                <Text size="sm" className="mela-muted">
                  {hint}
                </Text>
              )}
            </div>
          </div>
          {children}
        </Stack>
      </Paper>
    </main>
  );
}
