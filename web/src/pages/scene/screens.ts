import { infiniteQueryOptions } from "@tanstack/react-query";
import { type ListRunsData, listRuns } from "../../client";
import { readCondition } from "./runsQuery";

/** Rows of a page of runs. */
export const PAGE = 100;

/** What the address of a scene says of the order and the conditions of its runs. */
interface Asked {
  sort?: string;
  order?: "asc" | "desc";
  where?: string[];
}

/** Return the conditions of an address that can be read. */
export function conditionsOf(asked: Asked): string[] {
  return (asked.where ?? []).filter((text) => readCondition(text) !== null);
}

/**
 * Return the question for the runs of a scene, page by page. Without a metric in the address the API sorts
 * by the scene's own.
 */
export function runsQuestion(sceneId: string, asked: Asked) {
  const where = conditionsOf(asked);
  const path = { scene_id: sceneId };
  const query: NonNullable<ListRunsData["query"]> = {
    sort: asked.sort,
    order: asked.order ?? "best",
    where: where.length > 0 ? where : undefined,
  };
  return infiniteQueryOptions({
    queryKey: [{ _id: "listRuns", path, query }],
    queryFn: async ({ pageParam, signal }) =>
      (await listRuns({ path, query: { ...query, limit: PAGE, cursor: pageParam }, signal })).data,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}
