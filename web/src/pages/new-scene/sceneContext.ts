import { createContext, useContext } from "react";
import type { Fault } from "../../problem";
import type { Edit, Fields } from "./sceneText";

/** The scene that is being written, for all parts of the form. */
export interface SceneInHand {
  scene: Fields;
  /** The text cannot be read at the moment: the form shows what it was before, and waits. */
  isLocked: boolean;
  edit: (...edits: Edit[]) => void;
  faults: readonly Fault[];
}

export const SceneContext = createContext<SceneInHand | null>(null);

export function useScene(): SceneInHand {
  const scene = useContext(SceneContext);
  if (!scene) throw new Error("the form of a scene stands inside SceneContext");
  return scene;
}

/** Return what is wrong with a field, as one text; null if nothing is known to be. */
export function useFault(...fields: string[]): string | null {
  const { faults } = useScene();
  const own = faults.filter(({ field }) => field !== null && fields.some((one) => isOf(field, one)));
  return own.length ? own.map((fault) => fault.message).join(" ") : null;
}

/** Say whether a fault's field is a field or a part of it: `instruments[0]` is of `instruments`. */
export function isOf(fault: string, field: string): boolean {
  return fault === field || fault.startsWith(`${field}.`) || fault.startsWith(`${field}[`);
}
