import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { type AuditRow, listAudit } from "../../client";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { Instant } from "../../components/Instant";

const route = getRouteApi("/inside/admin");

/** Who did what, when and from where; the newest first. */
export function AuditTab() {
  const { user, action } = route.useSearch();
  const query = useInfiniteQuery({
    queryKey: ["audit", user, action],
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await listAudit({ query: { user, action, cursor: pageParam, limit: 100 }, signal });
      return data;
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return (
    <Stack gap="sm">
      <Filters key={`${user} ${action}`} user={user ?? ""} action={action ?? ""} />
      {!hasAnswer(query) && <Unanswered to={query} />}
      {query.data && rows.length === 0 && <EmptyState title="No entry fits" />}
      {rows.length > 0 && (
        <DataTable
          label="Audit log"
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => String(row.id)}
          onEnd={() => void (query.hasNextPage && !query.isFetching && query.fetchNextPage())}
          isLoadingMore={query.isFetchingNextPage}
          card={(row) => <Card row={row} />}
          cardHeight={84}
        />
      )}
    </Stack>
  );
}

function Filters({ user, action }: { user: string; action: string }) {
  const navigate = useNavigate();
  const [who, setWho] = useState(user);
  const [what, setWhat] = useState(action);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void navigate({
      to: "/admin",
      search: { tab: "audit", user: who || undefined, action: what || undefined },
    });
  };
  return (
    <form onSubmit={submit}>
      <Group gap="sm" align="flex-end">
        <TextInput
          data-search
          label="User"
          value={who}
          maxLength={100}
          onChange={(event) => setWho(event.currentTarget.value)}
        />
        <TextInput
          label="Action"
          placeholder="sign_in"
          value={what}
          maxLength={100}
          onChange={(event) => setWhat(event.currentTarget.value)}
        />
        <Button type="submit" variant="default">
          Filter
        </Button>
      </Group>
    </form>
  );
}

/** Return the detail of an entry in one line: `role: trader, days: 7`. */
export function detailText(detail: AuditRow["detail"]): string {
  return Object.entries(detail ?? {})
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

const COLUMNS: Column<AuditRow>[] = [
  { id: "at", header: "When (UTC)", width: 178, cell: (row) => <Instant at={row.at} /> },
  { id: "user", header: "Who", width: 120, cell: (row) => row.user ?? "nobody known" },
  { id: "via", header: "By", width: 106, cell: (row) => row.via },
  { id: "action", header: "What", width: 160, cell: (row) => row.action.replaceAll("_", " ") },
  {
    id: "outcome",
    header: "Outcome",
    width: 92,
    cell: (row) => <Outcome outcome={row.outcome} />,
  },
  {
    id: "subject",
    header: "Of",
    width: 180,
    cell: (row) => <span title={row.subject ?? ""}>{row.subject}</span>,
  },
  { id: "address", header: "From", width: 120, cell: (row) => row.address },
  {
    id: "detail",
    header: "Detail",
    width: 220,
    grow: true,
    cell: (row) => <span title={detailText(row.detail)}>{detailText(row.detail)}</span>,
  },
];

function Outcome({ outcome }: { outcome: AuditRow["outcome"] }) {
  return outcome === "refused" ? <span className="mela-loss">✕ refused</span> : <span>done</span>;
}

function Card({ row }: { row: AuditRow }) {
  return (
    <>
      <Text size="sm">
        {row.user ?? "nobody known"}: {row.action.replaceAll("_", " ")} {row.subject} ·{" "}
        <Outcome outcome={row.outcome} />
      </Text>
      <Text size="xs" className="mela-muted">
        <Instant at={row.at} /> by {row.via} from {row.address ?? "–"}
      </Text>
      <Text size="xs" lineClamp={1}>
        {detailText(row.detail)}
      </Text>
    </>
  );
}
