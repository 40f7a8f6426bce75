import { Button, Group, Stack } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Copy } from "lucide-react";
import { may, useMe } from "../../session";
import styles from "./Session.module.css";

/** The document that a session was started with, as YAML. */
export function Asked({ yaml, sessionId }: { yaml: string; sessionId: string }) {
  const me = useMe();
  return (
    <Stack gap="sm">
      {may(me, "trader") && (
        <Group>
          <Button
            size="xs"
            variant="default"
            leftSection={<Copy size={14} aria-hidden />}
            renderRoot={(props) => <Link {...props} to="/trading/new" search={{ like: sessionId }} />}
          >
            Start another like this
          </Button>
        </Group>
      )}
      <pre className={styles.json}>{yaml}</pre>
    </Stack>
  );
}
