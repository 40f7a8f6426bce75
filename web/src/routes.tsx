import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import type { ReactNode } from "react";
import { patiently } from "./apiReturn";
import { getSceneOptions } from "./client/@tanstack/react-query.gen";
import { NotFound, PageFailed } from "./components/PageFailed";
import { PageLoading } from "./components/PageLoading";
import { prefetchRun } from "./pages/run/screens";
import { localAddress, number, oneOf, type Raw, text, texts } from "./search";
import { sessionQuery } from "./session";
import { Shell } from "./shell/Shell";

interface Context {
  queryClient: QueryClient;
}

/** A page that is loaded when it is opened. */
function page<Page extends { default: () => ReactNode }>(load: () => Promise<Page>) {
  return lazyRouteComponent(() => patiently(load));
}

const root = createRootRouteWithContext<Context>()({ component: Outlet });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (raw: Raw): { next?: string } => ({ next: text(raw, "next") }),
  beforeLoad: async ({ context, search }) => {
    const me = await context.queryClient.ensureQueryData(sessionQuery);
    if (me) throw redirect({ href: localAddress(search.next) });
  },
  component: page(() => import("./pages/sign-in/SignInPage")),
});

const register = createRoute({
  getParentRoute: () => root,
  path: "/register",
  component: page(() => import("./pages/register/RegisterPage")),
});

const password = createRoute({
  getParentRoute: () => root,
  path: "/password",
  validateSearch: (raw: Raw): { next?: string } => ({ next: text(raw, "next") }),
  beforeLoad: async ({ context, location }) => {
    const me = await context.queryClient.ensureQueryData(sessionQuery);
    if (!me) throw redirect({ to: "/sign-in", search: { next: location.href } });
  },
  component: page(() => import("./pages/password/PasswordPage")),
});

// Everything below needs somebody signed in.
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  beforeLoad: async ({ context, location }) => {
    const me = await context.queryClient.ensureQueryData(sessionQuery);
    if (!me) throw redirect({ to: "/sign-in", search: { next: location.href } });
    if (me.must_change_password) throw redirect({ to: "/password", search: { next: location.href } });
  },
  component: Shell,
});

const home = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/scenes", replace: true });
  },
});

export const STATES = ["queued", "running", "done", "failed", "rejected", "cancelled"] as const;

/** What the list of scenes shows, as its address says it. */
export interface ScenesSearch {
  state?: string;
  strategy?: string;
  instrument?: string;
  interval?: string;
  start?: string;
  end?: string;
  tag?: string;
  text?: string;
  owner?: string;
}

const scenes = createRoute({
  getParentRoute: () => inside,
  path: "/scenes",
  validateSearch: (raw: Raw): ScenesSearch => ({
    state: text(raw, "state"),
    strategy: text(raw, "strategy"),
    instrument: text(raw, "instrument"),
    interval: text(raw, "interval"),
    start: text(raw, "start"),
    end: text(raw, "end"),
    tag: text(raw, "tag"),
    text: text(raw, "text"),
    owner: text(raw, "owner"),
  }),
  component: page(() => import("./pages/scenes/ScenesPage")),
});

const newScene = createRoute({
  getParentRoute: () => inside,
  path: "/scenes/new",
  validateSearch: (raw: Raw): { from?: string; strategy?: string; instrument?: string } => ({
    from: text(raw, "from"),
    strategy: text(raw, "strategy"),
    instrument: text(raw, "instrument"),
  }),
  component: page(() => import("./pages/new-scene/NewScenePage")),
});

export const SCENE_TABS = ["training", "runs", "map", "parallel", "curves", "report", "scene"] as const;

/** What the page of a scene shows, as its address says it. */
export interface SceneSearch {
  tab?: (typeof SCENE_TABS)[number];
  sort?: string;
  order?: "asc" | "desc";
  where?: string[];
  metrics?: string[];
}

const scene = createRoute({
  getParentRoute: () => inside,
  path: "/scenes/$sceneId",
  validateSearch: (raw: Raw): SceneSearch => ({
    tab: oneOf(raw, "tab", SCENE_TABS),
    sort: text(raw, "sort"),
    order: oneOf(raw, "order", ["asc", "desc"] as const),
    where: texts(raw, "where"),
    metrics: texts(raw, "metrics"),
  }),
  loader: ({ context, params }) =>
    void context.queryClient.prefetchQuery(getSceneOptions({ path: { scene_id: params.sceneId } })),
  component: page(() => import("./pages/scene/ScenePage")),
});

const run = createRoute({
  getParentRoute: () => inside,
  path: "/runs/$runKey",
  validateSearch: (raw: Raw): { trade?: number } => ({ trade: number(raw, "trade") }),
  loader: ({ context, params }) => prefetchRun(context.queryClient, params.runKey),
  component: page(() => import("./pages/run/RunPage")),
});

const compare = createRoute({
  getParentRoute: () => inside,
  path: "/compare",
  validateSearch: (raw: Raw): { run?: string[]; scene?: string[] } => ({
    run: texts(raw, "run"),
    scene: texts(raw, "scene"),
  }),
  component: page(() => import("./pages/compare/ComparePage")),
});

export const DATA_TABS = ["coverage", "quality", "stale", "watch", "backfills"] as const;
export type DataTab = (typeof DATA_TABS)[number];

const data = createRoute({
  getParentRoute: () => inside,
  path: "/data",
  validateSearch: (raw: Raw): { tab?: DataTab; instrument?: string; interval?: string } => ({
    tab: oneOf(raw, "tab", DATA_TABS),
    instrument: text(raw, "instrument"),
    interval: text(raw, "interval"),
  }),
  component: page(() => import("./pages/data/DataPage")),
});

const strategies = createRoute({
  getParentRoute: () => inside,
  path: "/strategies",
  component: page(() => import("./pages/strategies/StrategiesPage")),
});

const strategy = createRoute({
  getParentRoute: () => inside,
  path: "/strategies/$name",
  component: page(() => import("./pages/strategies/StrategyPage")),
});

const schedules = createRoute({
  getParentRoute: () => inside,
  path: "/schedules",
  component: page(() => import("./pages/schedules/SchedulesPage")),
});

const trading = createRoute({
  getParentRoute: () => inside,
  path: "/trading",
  validateSearch: (raw: Raw): { state?: string; text?: string } => ({
    state: text(raw, "state"),
    text: text(raw, "text"),
  }),
  component: page(() => import("./pages/trading/TradingPage")),
});

const newSession = createRoute({
  getParentRoute: () => inside,
  path: "/trading/new",
  validateSearch: (raw: Raw): { run?: string; like?: string } => ({
    run: text(raw, "run"),
    like: text(raw, "like"),
  }),
  component: page(() => import("./pages/new-session/NewSessionPage")),
});

export const SESSION_TABS = [
  "positions",
  "orders",
  "fills",
  "trades",
  "risk",
  "drift",
  "log",
  "session",
] as const;
export type SessionTab = (typeof SESSION_TABS)[number];

const tradingSession = createRoute({
  getParentRoute: () => inside,
  path: "/trading/$sessionId",
  validateSearch: (raw: Raw): { tab?: SessionTab } => ({ tab: oneOf(raw, "tab", SESSION_TABS) }),
  component: page(() => import("./pages/session/SessionPage")),
});

const account = createRoute({
  getParentRoute: () => inside,
  path: "/account",
  component: page(() => import("./pages/account/AccountPage")),
});

export const ADMIN_TABS = ["users", "invitations", "audit", "health"] as const;
export type AdminTab = (typeof ADMIN_TABS)[number];

const admin = createRoute({
  getParentRoute: () => inside,
  path: "/admin",
  validateSearch: (raw: Raw): { tab?: AdminTab; user?: string; action?: string } => ({
    tab: oneOf(raw, "tab", ADMIN_TABS),
    user: text(raw, "user"),
    action: text(raw, "action"),
  }),
  component: page(() => import("./pages/admin/AdminPage")),
});

const tree = root.addChildren([
  signIn,
  register,
  password,
  inside.addChildren([
    home,
    scenes,
    newScene,
    scene,
    run,
    compare,
    data,
    strategies,
    strategy,
    schedules,
    trading,
    newSession,
    tradingSession,
    account,
    admin,
  ]),
]);

/** Make the router over the cache of answers. */
export function makeRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queryClient },
    defaultPreload: "intent",
    defaultPendingComponent: PageLoading,
    defaultErrorComponent: PageFailed,
    defaultNotFoundComponent: NotFound,
    defaultPendingMs: 300,
    scrollRestoration: true,
  });
}
