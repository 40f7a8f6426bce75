import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { KeyRound } from "lucide-react";
import { formatNumber } from "../../components/format";
import { Panel } from "../../components/Panel";
import { useMe } from "../../session";
import { SessionsPanel } from "./SessionsPanel";
import { TokensPanel } from "./TokensPanel";

/** One's own account: password, quota, tokens, sessions. */
export default function AccountPage() {
  const me = useMe();
  const { quota } = me;
  return (
    <Stack gap="md">
      <title>Account · Mela</title>
      <Group justify="space-between" align="flex-start">
        <div>
          <Title order={1}>{me.user}</Title>
          <Text className="mela-muted">{ROLES[me.role]}</Text>
        </div>
        <Button
          variant="default"
          leftSection={<KeyRound size={14} aria-hidden />}
          renderRoot={(props) => <Link {...props} to="/password" search={{ next: "/account" }} />}
        >
          Change the password
        </Button>
      </Group>
      <Panel title="Quota">
        <Text size="sm">
          {used(quota.runs_today, quota.runs_per_day, "runs today")};{" "}
          {used(quota.scenes_now, quota.scenes_at_once, "scenes at once")}.
        </Text>
      </Panel>
      <TokensPanel me={me} />
      <SessionsPanel />
    </Stack>
  );
}

export const ROLES = {
  viewer: "Viewer: reads scenes, runs and data",
  trader: "Trader: reads, and asks for scenes and candles",
  admin: "Administrator: asks, and manages accounts",
} as const;

/** Say how much of a quota is used; a limit of 0 is none. */
export function used(count: number, limit: number, what: string): string {
  const text = formatNumber(count, "count");
  return limit === 0
    ? `${text} ${what}, without a limit`
    : `${text} of ${formatNumber(limit, "count")} ${what}`;
}
