import { Box, Stack, Text, Title } from "@mantine/core";
import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { ProblemView } from "./ProblemView";

/** What a page shows that failed while it was drawn or loaded. */
export function PageFailed({ error, reset }: ErrorComponentProps) {
  return (
    <Box p="md" maw={720} component="main">
      <ProblemView error={error} onRetry={reset} />
    </Box>
  );
}

/** What an address shows that belongs to no page. */
export function NotFound() {
  return (
    <Stack p="md" gap="xs" component="main">
      <Title order={1}>There is no such page</Title>
      <Text>
        The address may be mistyped. <Link to="/scenes">The scenes</Link> are a place to start again.
      </Text>
    </Stack>
  );
}
