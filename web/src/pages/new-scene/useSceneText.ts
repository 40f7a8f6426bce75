import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { validateScene } from "../../client";
import type { SceneInHand } from "./sceneContext";
import { type Edit, edited, type Fields, placeOf, read } from "./sceneText";

const TYPING_MS = 350;

/** Keep a scene's text and its values in step, and have it checked when the typing pauses. */
export function useSceneText(text: string, onText: (text: string) => void) {
  const { scene, faults: textFaults } = useMemo(() => read(text), [text]);
  // While the text cannot be read, the form shows what it said last.
  const [last, setLast] = useState<Fields>(scene ?? {});
  if (scene !== null && scene !== last && JSON.stringify(scene) !== JSON.stringify(last)) setLast(scene);
  const shown = scene === null ? last : scene;

  // Edits that follow each other in one event each see the text that the one before has left.
  const current = useRef(text);
  current.current = text;
  const edit = useCallback(
    (...edits: Edit[]) => {
      current.current = edited(current.current, edits);
      onText(current.current);
    },
    [onText],
  );

  const [settled] = useDebouncedValue(text, TYPING_MS);
  const asked = useMemo(() => read(settled).scene, [settled]);
  const check = useQuery({
    queryKey: ["validate", asked],
    queryFn: async ({ signal }) => (await validateScene({ body: { scene: asked as Fields }, signal })).data,
    enabled: asked !== null,
    placeholderData: keepPreviousData,
    staleTime: 20_000,
  });
  const isChecking = settled !== text || check.isPlaceholderData || check.isPending;
  const found = check.data;
  const faults = useMemo(() => found?.faults ?? [], [found]);
  const marks = useMemo(
    () =>
      textFaults.length > 0
        ? textFaults
        : faults.map(({ field, message }) => ({
            message: field ? `${field}: ${message}` : message,
            ...(placeOf(text, field) ?? { from: 0, to: Math.max(0, text.indexOf("\n")) }),
          })),
    [text, textFaults, faults],
  );
  const inHand: SceneInHand = useMemo(
    () => ({ scene: shown, isLocked: scene === null, edit, faults }),
    [shown, scene, edit, faults],
  );
  return { inHand, textFaults, marks, found, isChecking, error: check.error };
}
