import { Stack, Tabs, Title } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { EmptyState } from "../../components/EmptyState";
import { ADMIN_TABS, type AdminTab } from "../../routes";
import { may, useMe } from "../../session";
import { AuditTab } from "./AuditTab";
import { HealthTab } from "./HealthTab";
import { InvitationsTab } from "./InvitationsTab";
import { PublishersPanel } from "./PublishersPanel";
import { UsersTab } from "./UsersTab";

const route = getRouteApi("/inside/admin");

const NAMES: Record<AdminTab, string> = {
  users: "Users",
  invitations: "Invitations",
  audit: "Audit log",
  health: "Health",
};

/** What administrators do: users, invitations, the audit log, the health of the job. */
export default function AdminPage() {
  const me = useMe();
  const { tab = "users" } = route.useSearch();
  const navigate = useNavigate();
  if (!may(me, "admin")) {
    return (
      <EmptyState title="Only administrators see this page">Ask one of them for what you need.</EmptyState>
    );
  }
  return (
    <Stack gap="md">
      <title>{`${NAMES[tab]} · Mela`}</title>
      <Title order={1}>Administration</Title>
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(next) => void navigate({ to: "/admin", search: { tab: next as AdminTab } })}
      >
        <Tabs.List mb="md">
          {ADMIN_TABS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {NAMES[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="users">
          <Stack gap="xl">
            <UsersTab />
            <PublishersPanel />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="invitations">
          <InvitationsTab />
        </Tabs.Panel>
        <Tabs.Panel value="audit">
          <AuditTab />
        </Tabs.Panel>
        <Tabs.Panel value="health">
          <HealthTab />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
