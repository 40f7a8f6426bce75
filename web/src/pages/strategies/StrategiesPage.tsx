import { Alert, Badge, Group, List, SimpleGrid, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { useState } from "react";
import type { BrokenStrategy, StrategyRow } from "../../client";
import { listStrategiesOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { VerdictBadge } from "./VerdictBadge";

/** The catalogue of strategies. */
export default function StrategiesPage() {
  const [text, setText] = useState("");
  const all = useQuery(listStrategiesOptions());
  if (!hasAnswer(all)) return <Unanswered to={all} />;
  const { data } = all;
  const found = data.items.filter((row) => fits(row, text));
  return (
    <Stack gap="md">
      <title>Strategies · Mela</title>
      <Group justify="space-between">
        <Title order={1}>Strategies</Title>
        <TextInput
          data-search
          type="search"
          placeholder="Find by name or words"
          aria-label="Find a strategy"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          w={{ base: "100%", xs: 260 }}
        />
      </Group>
      {data.broken.length > 0 && <Broken broken={data.broken} />}
      {found.length === 0 ? (
        <EmptyState title="No strategy fits">Change the words above.</EmptyState>
      ) : (
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
          {found.map((row) => (
            <Card key={row.name} row={row} />
          ))}
        </SimpleGrid>
      )}
    </Stack>
  );
}

/** Say whether a strategy has every word in its name, summary or parameters. */
export function fits(row: Pick<StrategyRow, "name" | "summary" | "params">, text: string): boolean {
  const all = [row.name, row.summary, ...row.params].join(" ").toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

function Card({ row }: { row: StrategyRow }) {
  return (
    <article className="mela-panel">
      <Group justify="space-between" gap="xs" wrap="nowrap" align="flex-start">
        <Title order={2} size="h3">
          <Link to="/strategies/$name" params={{ name: row.name }} className="mela-quiet-link">
            {row.name}
          </Link>
        </Title>
        <VerdictBadge verdict={row.lookahead} />
      </Group>
      <Text size="sm" mt={4}>
        {row.summary}
      </Text>
      <Group gap={6} mt="xs">
        {row.params.map((param) => (
          <Badge key={param} variant="default" size="sm" radius="sm" tt="none" fw={400}>
            {param}
          </Badge>
        ))}
      </Group>
      <Text size="xs" className="mela-muted" mt="xs">
        {row.scenes === 0 ? "no scenes yet" : row.scenes === 1 ? "1 scene" : `${row.scenes} scenes`}
        {row.origin !== "mela" && ` · from ${row.origin}`}
      </Text>
    </article>
  );
}

function Broken({ broken }: { broken: readonly BrokenStrategy[] }) {
  return (
    <Alert
      color="orange"
      variant="light"
      icon={<TriangleAlert size={18} aria-hidden />}
      title="Some strategies could not be loaded"
    >
      <List size="sm">
        {broken.map((one) => (
          <List.Item key={one.file}>
            <span className="mela-code">{one.file}</span>: {one.message}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}
