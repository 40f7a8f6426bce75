import { type InfiniteData, type QueryClient, type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { apiReturn } from "./apiReturn";
import { type SceneDetail, type ScenePage, type TradingSessionList, watchEvents } from "./client";
import { Events, type SceneEvent, type SessionEvent, type StreamState, type Watched } from "./events";
import { sessionQuery } from "./session";
import { tabsOf } from "./tabs";

const Context = createContext<Events | null>(null);

/** Lists are read anew this often at most, however many scenes change. */
const REREAD_MS = 700;

/** The tables of a session are read anew this often at most, however fast it trades. */
const SESSION_MS = 1_000;

const ENDED = new Set(["finished", "cancelled", "rejected"]);

/** What the page of a trading session shows of it, besides how it is. */
const OF_SESSION = [
  "getTradingSession",
  "listPositions",
  "listOrders",
  "listFills",
  "listSessionTrades",
  "listVerdicts",
  "getSessionLog",
  "getSessionEquity",
] as const;

/** What the page of a scene shows of it and of its runs. */
const OF_SCENE = ["getScene", "getReport", "listRuns", "getHeatmap", "getCurves"] as const;

/** Read anew what pages show of a scene. */
export function rereadScene(queryClient: QueryClient, sceneId: string): Promise<void> {
  return reread(queryClient, OF_SCENE, sceneId);
}

/** Answers of the generated client are kept under keys of the form [{ _id, path, query }]. */
function reread(queryClient: QueryClient, ids: readonly string[], sceneId?: string): Promise<void> {
  return queryClient.invalidateQueries({
    predicate: ({ queryKey }) => {
      const key = queryKey[0] as { _id?: string; path?: { scene_id?: string } } | undefined;
      if (!key?._id || !ids.includes(key._id)) return false;
      return sceneId === undefined || key.path === undefined || key.path.scene_id === sceneId;
    },
  });
}

/** Take out of the lists, and of what is kept unseen, a scene or session that may not be seen any more. */
function forget(queryClient: QueryClient, id: string): void {
  queryClient.removeQueries({
    type: "inactive",
    predicate: ({ queryKey }) => Object.values(pathOf(queryKey)).includes(id),
  });
  const isList = (name: string | undefined) => name === "listScenes" || name === "listTradingSessions";
  queryClient.setQueriesData<InfiniteData<{ items: object[] }>>(
    { predicate: ({ queryKey, state }) => isList(idOf(queryKey)) && hasPages(state.data) },
    (list) =>
      list && {
        ...list,
        pages: list.pages.map((page) => ({
          ...page,
          items: page.items.filter((row) => !Object.values(row).includes(id)),
        })),
      },
  );
}

function hasPages(data: unknown): boolean {
  return typeof data === "object" && data !== null && "pages" in data;
}

/**
 * Let the pages inside hear of what they watch, and read anew what an event says has changed. The tabs of
 * a user share one stream.
 */
export function EventsProvider({ user, children }: { user: string; children: ReactNode }) {
  const queryClient = useQueryClient();
  const router = useRouter();
  const [events] = useState(() => {
    const rereadLists = throttled(() => void reread(queryClient, ["listScenes"]), REREAD_MS);
    const rereadSessions = throttled(() => void reread(queryClient, ["listTradingSessions"]), REREAD_MS);
    const rereadSession = throttled(() => void reread(queryClient, OF_SESSION), SESSION_MS);
    return new Events({
      tabs: tabsOf(`mela.events.${user}`),
      open: (address) => new EventSource(address, { withCredentials: true }),
      watch: (stream, body) => watchEvents({ path: { stream }, body }),
      onScene: (event) => {
        const known = versionsRead(queryClient, event.scene_id);
        const isEnd = ENDED.has(event.state);
        if (known.listed === null || (isEnd && known.listed < event.version)) rereadLists();
        if (known.isRefused || (isEnd && known.opened !== null && known.opened < event.version)) {
          void rereadScene(queryClient, event.scene_id);
        }
      },
      onCard: (event) => {
        rereadLists();
        void reread(queryClient, ["getScene"], event.scene_id);
      },
      onGone: (id) => {
        forget(queryClient, id);
        // Its page, those of its runs, and comparisons with them say themselves that it is gone.
        void queryClient.invalidateQueries();
      },
      onSession: (event) => {
        const of = (id: string) =>
          queryClient.getQueriesData({ predicate: ({ queryKey }) => idOf(queryKey) === id });
        const isListed = of("listTradingSessions").some(([, data]) =>
          (data as InfiniteData<TradingSessionList> | undefined)?.pages
            ?.flatMap((page) => page.items)
            .some((row) => row.session_id === event.session_id),
        );
        if (!isListed) rereadSessions();
        // Only the page of one session is open; what it shows is of that session.
        const isOpened = of("getTradingSession").some(
          ([key]) => (key[0] as { path?: { session_id?: string } }).path?.session_id === event.session_id,
        );
        if (isOpened) rereadSession();
      },
      onReturn: () => {
        apiReturn.now();
        void reread(queryClient, ["listScenes", ...OF_SCENE, "listTradingSessions", ...OF_SESSION]);
      },
      onDoubt: async () => {
        await queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
        if (queryClient.getQueryData(sessionQuery.queryKey) === null) await router.invalidate();
      },
    });
  });

  useEffect(() => {
    const onVisible = () => document.visibilityState === "visible" && events.wake();
    window.addEventListener("online", events.wake);
    window.addEventListener("offline", events.interrupt);
    document.addEventListener("visibilitychange", onVisible);
    // A page that is left may be kept aside by the browser, unseen: another tab must lead meanwhile.
    const onShow = (event: PageTransitionEvent) => event.persisted && events.settle();
    window.addEventListener("pagehide", events.pause);
    window.addEventListener("pageshow", onShow);
    return () => {
      window.removeEventListener("pagehide", events.pause);
      window.removeEventListener("pageshow", onShow);
      window.removeEventListener("online", events.wake);
      window.removeEventListener("offline", events.interrupt);
      document.removeEventListener("visibilitychange", onVisible);
      events.close();
    };
  }, [events]);

  return <Context.Provider value={events}>{children}</Context.Provider>;
}

/** Return which versions of a scene the lists and its page have read, null where they have not, and whether it was refused. */
function versionsRead(queryClient: QueryClient, sceneId: string) {
  const of = (id: string) =>
    queryClient.getQueriesData({ predicate: ({ queryKey }) => idOf(queryKey) === id });
  const lists = of("listScenes").flatMap(
    ([, data]) => (data as InfiniteData<ScenePage> | undefined)?.pages ?? [],
  );
  const row = lists.flatMap((page) => page.items).find((scene) => scene.scene_id === sceneId);
  const scenes = of("getScene").map(([, data]) => data as SceneDetail | undefined);
  const scene = scenes.find((one) => one?.scene_id === sceneId);
  const isRefused = queryClient.getQueryCache().findAll({
    type: "active",
    predicate: ({ queryKey, state }) =>
      idOf(queryKey) === "getScene" && pathOf(queryKey).scene_id === sceneId && state.status === "error",
  });
  return {
    listed: row?.version ?? null,
    opened: scene?.version ?? null,
    isRefused: isRefused.length > 0,
  };
}

function pathOf(queryKey: QueryKey): { scene_id?: string; session_id?: string } {
  return (queryKey[0] as { path?: { scene_id?: string; session_id?: string } } | undefined)?.path ?? {};
}

function idOf(queryKey: QueryKey): string | undefined {
  return (queryKey[0] as { _id?: string } | undefined)?._id;
}

/** Return a function that acts at once, and then once for all calls within a while. */
function throttled(act: () => void, wait_ms: number): () => void {
  let isWaiting = false;
  let isAsked = false;
  const pause = () => {
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      if (!isAsked) return;
      isAsked = false;
      pause();
      act();
    }, wait_ms);
  };
  return () => {
    if (isWaiting) {
      isAsked = true;
      return;
    }
    pause();
    act();
  };
}

function useStream(): Events {
  const events = useContext(Context);
  if (!events) throw new Error("events are known inside EventsProvider only");
  return events;
}

/** Watch a scene, or all of them, while the component is shown. */
export function useWatch(watched: Watched): void {
  const events = useStream();
  useEffect(() => events.add(watched), [events, watched]);
}

/** Return the newest event of a scene, as it comes. */
export function useLatest(sceneId: string): SceneEvent | undefined {
  const events = useStream();
  return useSyncExternalStore(events.subscribe, () => events.latest(sceneId));
}

/** Return the newest event of a trading session, as it comes. */
export function useLatestSession(sessionId: string): SessionEvent | undefined {
  const events = useStream();
  return useSyncExternalStore(events.subscribe, () => events.latestSession(sessionId));
}

/** Return whether what is shown is live. */
export function useStreamState(): StreamState {
  const events = useStream();
  return useSyncExternalStore(events.subscribe, () => events.state);
}
