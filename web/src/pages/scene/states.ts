/** Say whether nothing more will happen to a scene. */
export function hasEnded(state: string): boolean {
  return state === "finished" || state === "cancelled" || state === "rejected";
}
