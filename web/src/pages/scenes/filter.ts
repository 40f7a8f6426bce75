import type { ListScenesData, SceneState } from "../../client";
import type { ScenesSearch } from "../../routes";

type Query = NonNullable<ListScenesData["query"]>;

/** The states that one can filter by; `running` is what is received or planned. */
export const STATES: readonly SceneState[] = ["running", "finished", "cancelled", "rejected"];

/** Write a day as the instant that it begins with; an instant stays as it is. */
export function instantOf(day: string | undefined): string | undefined {
  return day && /^\d{4}-\d{2}-\d{2}$/.test(day) ? `${day}T00:00:00Z` : day;
}

/** Return what the API is asked for. `owner=me` in the address names whoever looks at it. */
export function asked(search: ScenesSearch, me: string): Query {
  const state = STATES.find((one) => one === search.state);
  return {
    state: state ? [state] : undefined,
    strategy: search.strategy,
    instrument: search.instrument,
    interval: search.interval,
    start: instantOf(search.start),
    end: instantOf(search.end),
    tag: search.tag,
    text: search.text,
    owner: search.owner === "me" ? me : search.owner,
  };
}

/** Say whether anything is left out of the list. */
export function isFiltered(search: ScenesSearch): boolean {
  return Object.values(search).some((value) => value !== undefined);
}
