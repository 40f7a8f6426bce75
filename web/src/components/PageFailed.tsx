import { Box, Stack, Text, Title } from "@mantine/core";
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect } from "react";
import { apiReturn } from "../apiReturn";
import { mayPass } from "../problem";
import { ProblemView } from "./ProblemView";

/** What a page shows that failed while it was drawn or loaded. */
export function PageFailed({ error }: ErrorComponentProps) {
  const router = useRouter();
  // Not `reset`, which draws the page again, but does not load again what has failed.
  const again = useCallback(() => void router.invalidate(), [router]);
  const isPassing = mayPass(error);
  useEffect(() => (isPassing ? apiReturn.wait(again) : undefined), [isPassing, again]);
  return (
    <Box p="md" maw={720} component="main">
      <ProblemView error={error} onRetry={again} />
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
