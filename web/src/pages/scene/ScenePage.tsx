import { Stack, Tabs } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect } from "react";
import { patiently } from "../../apiReturn";
import type { SceneDetail } from "../../client";
import { getSceneOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { PageLoading } from "../../components/PageLoading";
import { freshened } from "../../events";
import { rereadScene, useLatest, useStreamState, useWatch } from "../../useEvents";
import { sceneName } from "../scenes/sceneColumns";
import { Facts } from "./Facts";
import { Heading } from "./Heading";
import { Outcome } from "./Outcome";
import { Progress } from "./Progress";
import { RunsTab } from "./RunsTab";
import { Said } from "./Said";
import { hasEnded } from "./states";
import { TrainingTab } from "./TrainingTab";
import { tabsOf } from "./tabs";

const MapTab = lazy(() => patiently(() => import("./MapTab")));
const ParallelTab = lazy(() => patiently(() => import("./ParallelTab")));
const CurvesTab = lazy(() => patiently(() => import("./CurvesTab")));
const ReportTab = lazy(() => patiently(() => import("./ReportTab")));
const SceneTab = lazy(() => patiently(() => import("./SceneTab")));

const route = getRouteApi("/inside/scenes/$sceneId");

/** While a scene runs, what events do not tell (the best run's metrics) is read this often. */
const RUNNING_MS = 3_000;
const CUT_MS = 2_000;

/** After its end, its name, tags and owner's choice to share it may still change, should an event be missed. */
const ENDED_MS = 60_000;

/** An answer that is older than what an event said of the end is asked again after this while. */
const BEHIND_MS = 250;

export default function ScenePage() {
  const { sceneId } = route.useParams();
  useWatch(sceneId);
  const latest = useLatest(sceneId);
  const isLive = useStreamState() === "open";
  const found = useQuery({
    ...getSceneOptions({ path: { scene_id: sceneId } }),
    refetchInterval: ({ state }) => {
      const scene = state.data && freshened(state.data, latest);
      if (!scene || hasEnded(scene.state)) return ENDED_MS;
      return isLive ? RUNNING_MS : CUT_MS;
    },
  });
  // An event can overtake the answer that was on its way: without this, the page would show an end
  // without results, as nothing is asked any more of a scene that has ended.
  const client = useQueryClient();
  const isBehind =
    latest !== undefined &&
    hasEnded(latest.state) &&
    (found.data?.version ?? latest.version) < latest.version;
  const mustReread = isBehind && !found.isFetching;
  useEffect(() => {
    if (!mustReread) return;
    const timer = setTimeout(() => void rereadScene(client, sceneId), BEHIND_MS);
    return () => clearTimeout(timer);
  }, [mustReread, client, sceneId]);
  if (!hasAnswer(found)) return <Unanswered to={found} what="This scene" />;
  const scene = freshened(found.data, latest);
  return (
    <Stack gap="sm">
      <title>{`${sceneName(scene)} · Mela`}</title>
      <Heading scene={scene} />
      <Said scene={scene} />
      <Progress scene={scene} />
      {scene.state !== "rejected" && <Outcome scene={scene} />}
      <Facts scene={scene} />
      <Parts scene={scene} />
    </Stack>
  );
}

function Parts({ scene }: { scene: SceneDetail }) {
  const search = route.useSearch();
  const navigate = useNavigate();
  const tabs = tabsOf(scene);
  const tab = tabs.find((one) => one.name === search.tab)?.name ?? tabs[0]?.name ?? "scene";
  const goTo = (next: string | null) => {
    const name = tabs.find((one) => one.name === next)?.name;
    void navigate({
      to: "/scenes/$sceneId",
      params: { sceneId: scene.scene_id },
      search: { ...search, tab: name },
      replace: true,
    });
  };
  return (
    <Tabs value={tab} onChange={goTo} keepMounted={false}>
      <Tabs.List aria-label="Parts of the scene">
        {tabs.map((one) => (
          <Tabs.Tab key={one.name} value={one.name}>
            {one.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={tab} pt="sm">
        <Suspense fallback={<PageLoading />}>
          {tab === "training" && <TrainingTab scene={scene} />}
          {tab === "runs" && <RunsTab scene={scene} />}
          {tab === "map" && <MapTab scene={scene} />}
          {tab === "parallel" && <ParallelTab scene={scene} />}
          {tab === "curves" && <CurvesTab scene={scene} />}
          {tab === "report" && <ReportTab scene={scene} />}
          {tab === "scene" && <SceneTab scene={scene} />}
        </Suspense>
      </Tabs.Panel>
    </Tabs>
  );
}
