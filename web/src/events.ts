/** The stream of events: one connection for all that a tab watches. */

export interface SceneEvent {
  scene_id: string;
  version: number;
  state: "received" | "planned" | "finished" | "cancelled" | "rejected";
  name: string | null;
  runs: number;
  skipped: number;
  recorded: number;
  cached: number;
  failed: number;
  cancelled: number;
  best: number | null;
  rate_per_s: number | null;
  remaining_s: number | null;
}

/** How a trading session is. */
export interface SessionEvent {
  session_id: string;
  version: number;
  state: "starting" | "running" | "paused" | "stopping" | "stopped" | "failed";
  why: string | null;
  risk_state: "active" | "reducing" | "halted";
  risk_why: string | null;
  equity: number | null;
  day_profit: number | null;
  positions: number;
  open_orders: number;
  trades: number;
  last_candle_at: string | null;
  heard_at: string | null;
  beat_at: string | null;
}

export type StreamState = "off" | "connecting" | "open" | "reconnecting";

/** What one part of a page watches: every scene, or one, or the trading sessions. */
export type Watched = "all" | "trading" | string;

/** What a stream watches, as the API is told it. */
export interface Watching {
  all: boolean;
  scenes: string[];
  trading: boolean;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** The API says something every 15 s: a line on which nothing comes for this long is dead. */
const SILENCE_MS = 40_000;

/** Where the stream is cut this often in a row, somebody may have been signed out. */
const CUTS_BEFORE_DOUBT = 2;

export interface StreamHooks {
  open: (address: string) => EventSource;
  /** Tell the API what an open stream watches from now on. */
  watch: (stream: string, watching: Watching) => Promise<unknown>;
  /** A scene has a newer version than was known. */
  onScene: (event: SceneEvent) => void;
  /** A trading session has a newer version than was known. */
  onSession: (event: SessionEvent) => void;
  /** The connection came back: what was missed must be read. */
  onReturn: () => void;
  /** The connection was refused or cut several times. */
  onDoubt: () => void;
}

/**
 * Keep one EventSource for all that is watched, and the newest version of each scene.
 *
 * The browser's own reconnecting would ask for what was watched at the beginning, so the stream opens a
 * new connection itself: after 0.5 s, then twice as long each time, at most 15 s.
 */
export class Events {
  private source: EventSource | null = null;
  private stream: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private silence: ReturnType<typeof setTimeout> | null = null;
  private cuts = 0;
  private hasBeenOpen = false;
  private readonly watchers = new Map<Watched, number>();
  private readonly newest = new Map<string, SceneEvent>();
  private readonly newestSessions = new Map<string, SessionEvent>();
  private readonly listeners = new Set<() => void>();
  private now: StreamState = "off";

  constructor(private readonly hooks: StreamHooks) {}

  get state(): StreamState {
    return this.now;
  }

  /** Return the newest event of a scene that this tab has seen. */
  latest(sceneId: string): SceneEvent | undefined {
    return this.newest.get(sceneId);
  }

  /** Return the newest event of a trading session that this tab has seen. */
  latestSession(sessionId: string): SessionEvent | undefined {
    return this.newestSessions.get(sessionId);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Watch a scene, or all, until the function is called that is returned. */
  add(watched: Watched): () => void {
    this.watchers.set(watched, (this.watchers.get(watched) ?? 0) + 1);
    this.settle();
    return () => {
      const left = (this.watchers.get(watched) ?? 1) - 1;
      if (left > 0) this.watchers.set(watched, left);
      else this.watchers.delete(watched);
      this.settle();
    };
  }

  /** Connect now, where the stream waits to do so: the network or the tab has come back. */
  wake = (): void => {
    if (this.now === "reconnecting" && this.timer !== null) this.connect();
  };

  /** The network is gone: a stream that says nothing any more would look as if it were live. */
  interrupt = (): void => {
    if (this.source !== null) this.cut();
  };

  close(): void {
    this.drop();
    this.watchers.clear();
    this.tell("off");
  }

  /** Take in an event unless a newer version of its scene is known; versions only rise. */
  take(event: SceneEvent): boolean {
    const known = this.newest.get(event.scene_id);
    if (known && known.version >= event.version) return false;
    this.newest.set(event.scene_id, event);
    this.hooks.onScene(event);
    this.tell(this.now);
    return true;
  }

  /** Take in an event of a trading session, as `take` does one of a scene. */
  takeSession(event: SessionEvent): boolean {
    const known = this.newestSessions.get(event.session_id);
    if (known && known.version >= event.version) return false;
    this.newestSessions.set(event.session_id, event);
    this.hooks.onSession(event);
    this.tell(this.now);
    return true;
  }

  private get watching(): Watching {
    const kinds = new Set<Watched>(["all", "trading"]);
    const scenes = [...this.watchers.keys()].filter((watched) => !kinds.has(watched)).sort();
    return { all: this.watchers.has("all"), scenes, trading: this.watchers.has("trading") };
  }

  /** Make the connection fit what is watched, once the page has settled. */
  private settle(): void {
    if (this.watchers.size === 0) {
      this.drop();
      this.tell("off");
    } else if (this.source === null && this.timer === null) {
      this.connect();
    } else if (this.stream !== null) {
      this.hooks.watch(this.stream, this.watching).catch(() => this.cut());
    }
  }

  private connect(): void {
    this.drop();
    this.tell(this.hasBeenOpen || this.cuts > 0 ? "reconnecting" : "connecting");
    const { all, scenes, trading } = this.watching;
    const query = new URLSearchParams(all ? [["all", "true"]] : scenes.map((id) => ["scene", id]));
    if (trading) query.append("trading", "true");
    const source = this.hooks.open(`/api/v1/events?${query}`);
    this.source = source;
    const asked = JSON.stringify(this.watching);
    source.addEventListener("opened", (message) => {
      if (this.source !== source) return;
      this.hear();
      this.stream = (JSON.parse((message as MessageEvent<string>).data) as { stream: string }).stream;
      if (JSON.stringify(this.watching) !== asked) this.settle();
      if (this.hasBeenOpen) this.hooks.onReturn();
      this.hasBeenOpen = true;
      this.cuts = 0;
      this.tell("open");
    });
    source.addEventListener("scene", (message) => {
      if (this.source !== source) return;
      this.hear();
      this.take(JSON.parse((message as MessageEvent<string>).data) as SceneEvent);
    });
    source.addEventListener("session", (message) => {
      if (this.source !== source) return;
      this.hear();
      this.takeSession(JSON.parse((message as MessageEvent<string>).data) as SessionEvent);
    });
    source.addEventListener("beat", () => {
      if (this.source === source) this.hear();
    });
    source.onerror = () => {
      if (this.source === source) this.cut();
    };
  }

  /** Something came: wait anew for the silence that means a dead line. */
  private hear(): void {
    if (this.silence !== null) clearTimeout(this.silence);
    this.silence = setTimeout(() => this.cut(), SILENCE_MS);
  }

  private cut(): void {
    this.drop();
    this.cuts += 1;
    this.tell("reconnecting");
    if (this.cuts >= CUTS_BEFORE_DOUBT) this.hooks.onDoubt();
    const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.cuts - 1), LONGEST_WAIT_MS);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  private drop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.silence !== null) clearTimeout(this.silence);
    this.silence = null;
    this.source?.close();
    this.source = null;
    this.stream = null;
  }

  private tell(state: StreamState): void {
    this.now = state;
    for (const listener of this.listeners) listener();
  }
}

/**
 * Return a scene or session as the API answered it, with what newer events say; an older event changes
 * nothing, and its name stays what the answer says.
 */
export function freshened<Row extends { version: number }>(
  row: Row,
  event: SceneEvent | SessionEvent | undefined,
): Row {
  if (!event || event.version <= row.version) return row;
  const known = Object.entries(event).filter(([key]) => key in row && key !== "name");
  return { ...row, ...Object.fromEntries(known) };
}
