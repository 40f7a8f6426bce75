import type { SceneDetail } from "../../client";

type TabName = "training" | "runs" | "map" | "parallel" | "curves" | "report" | "scene";

interface Tab {
  name: TabName;
  label: string;
}

/** Return the parts of a scene that have something to show. */
export function tabsOf(scene: Pick<SceneDetail, "kind" | "state" | "runs" | "varied" | "scene">): Tab[] {
  const tabs: Tab[] = [];
  if (scene.kind === "train") {
    return [
      { name: "training", label: "Training" },
      { name: "scene", label: "Scene" },
    ];
  }
  const isAsked = scene.state !== "rejected" && scene.state !== "received";
  if (isAsked) {
    tabs.push({ name: "runs", label: scene.runs === 1 ? "Run" : "Runs" });
    const axes = axesOf(scene).length;
    if (axes > 0) tabs.push({ name: "map", label: axes > 1 ? "Heat map" : "Along a parameter" });
    if (axes > 1) tabs.push({ name: "parallel", label: "Parallel coordinates" });
    if (scene.runs > 1) tabs.push({ name: "curves", label: "Best equity curves" });
    if (isJudged(scene.scene)) tabs.push({ name: "report", label: "Luck or skill" });
  }
  tabs.push({ name: "scene", label: "Scene" });
  return tabs;
}

/** Return the parameters that take two values and more. */
export function axesOf(scene: Pick<SceneDetail, "varied">): SceneDetail["varied"] {
  return scene.varied.filter((one) => one.values.length > 1);
}

/** Say whether a scene ends with a report on its evidence. */
export function isJudged(scene: Record<string, unknown>): boolean {
  return ["search", "validation", "holdout"].some(
    (name) => scene[name] !== undefined && scene[name] !== null,
  );
}
