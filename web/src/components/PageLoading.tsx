import { Skeleton, Stack } from "@mantine/core";

/** Grey lines in the place of a page that is being loaded. */
export function PageLoading() {
  return (
    <Stack p="md" gap="sm" aria-busy="true" aria-label="Loading" role="status">
      <Skeleton height={28} width="30%" />
      <Skeleton height={14} width="60%" />
      <Skeleton height={220} />
    </Stack>
  );
}
