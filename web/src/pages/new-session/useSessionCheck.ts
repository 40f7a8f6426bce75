import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { validateTradingSession } from "../../client";
import { placeOf, read } from "../new-scene/sceneText";
import type { Marked } from "../new-scene/YamlEditor";

const TYPING_MS = 350;

/** Have a session's text checked when the typing pauses; mark its faults where they stand. */
export function useSessionCheck(text: string) {
  const { faults: textFaults } = useMemo(() => read(text), [text]);
  const [settled] = useDebouncedValue(text, TYPING_MS);
  const check = useQuery({
    queryKey: ["validate-session", settled],
    queryFn: async ({ signal }) => (await validateTradingSession({ body: { yaml: settled }, signal })).data,
    enabled: read(settled).faults.length === 0,
    placeholderData: keepPreviousData,
    staleTime: 20_000,
  });
  const isChecking = settled !== text || check.isPlaceholderData || check.isPending;
  const found = check.data;
  const marks: Marked[] = useMemo(
    () =>
      textFaults.length > 0
        ? textFaults
        : (found?.faults ?? []).map(({ field, message }) => ({
            message: field ? `${field}: ${message}` : message,
            ...(placeOf(text, field) ?? { from: 0, to: Math.max(0, text.indexOf("\n")) }),
          })),
    [text, textFaults, found],
  );
  return { textFaults, marks, found, isChecking, error: check.error };
}

export type SessionChecked = ReturnType<typeof useSessionCheck>;
