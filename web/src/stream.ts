/** The connection on which the API tells what happens. */

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

/** What is heard of a connection, in the tab that has it and in those that share it. */
export type Heard =
  | { kind: "state"; state: StreamState }
  /** A new connection tells what happens from now on: what was missed must be read. */
  | { kind: "opened" }
  | { kind: "scene"; event: SceneEvent; isOld?: boolean }
  | { kind: "session"; event: SessionEvent; isOld?: boolean }
  /** A scene or session that may not be seen any more. */
  | { kind: "gone"; id: string }
  /** Nothing happened, and the connection is well. */
  | { kind: "beat" }
  /** Somebody may have been signed out. */
  | { kind: "doubt" };

/** How a connection is made, and told what it is for. */
export interface Making {
  open: (address: string) => EventSource;
  /** Tell the API what an open stream watches from now on. */
  watch: (stream: string, watching: Watching) => Promise<unknown>;
}

/** What lets a tab hear of what it watches: a connection of its own, or one that tabs share. */
export interface Line {
  watch: (watching: Watching) => void;
  /** Connect now, where it waits to do so: the network or the tab has come back. */
  wake: () => void;
  /** The network is gone: a stream that says nothing any more would look as if it were live. */
  interrupt: () => void;
  close: () => void;
}

export const NOTHING: Watching = { all: false, scenes: [], trading: false };

export function isNothing({ all, scenes, trading }: Watching): boolean {
  return !all && scenes.length === 0 && !trading;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** The API says something every 15 s: a line on which nothing comes for this long is dead. */
export const SILENCE_MS = 40_000;

/** Where the stream is cut this often in a row, somebody may have been signed out. */
const CUTS_BEFORE_DOUBT = 2;

/**
 * Keeps one EventSource open for what is watched.
 *
 * The browser's own reconnecting would ask for what was watched at the beginning, so the stream opens a
 * new connection itself: after 0.5 s, then twice as long each time, at most 15 s.
 */
export class Stream implements Line {
  private source: EventSource | null = null;
  private stream: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private silence: ReturnType<typeof setTimeout> | null = null;
  private cuts = 0;
  private hasBeenOpen = false;
  private watching = NOTHING;
  /** What the API knows of `watching`, as text */
  private told = "";
  private now: StreamState = "off";

  constructor(
    private readonly making: Making,
    private readonly hear: (heard: Heard) => void,
  ) {}

  get state(): StreamState {
    return this.now;
  }

  /** Make the connection fit what is watched. */
  watch(watching: Watching): void {
    this.watching = watching;
    if (isNothing(watching)) {
      this.drop();
      this.tell("off");
    } else if (this.source === null && this.timer === null) {
      this.connect();
    } else if (this.stream !== null && this.told !== JSON.stringify(watching)) {
      this.told = JSON.stringify(watching);
      this.making.watch(this.stream, watching).catch(() => this.cut());
    }
  }

  wake = (): void => {
    if (this.now === "reconnecting" && this.timer !== null) this.connect();
  };

  interrupt = (): void => {
    if (this.source !== null) this.cut();
  };

  close(): void {
    this.drop();
    this.now = "off";
  }

  private connect(): void {
    this.drop();
    this.tell(this.hasBeenOpen || this.cuts > 0 ? "reconnecting" : "connecting");
    const { all, scenes, trading } = this.watching;
    const query = new URLSearchParams(scenes.map((id) => ["scene", id]));
    if (all) query.append("all", "true");
    if (trading) query.append("trading", "true");
    const source = this.making.open(`/api/v1/events?${query}`);
    this.source = source;
    this.told = JSON.stringify(this.watching);
    const on = (name: string, act: (data: string) => void) =>
      source.addEventListener(name, (message) => {
        if (this.source !== source) return;
        this.listen();
        act((message as MessageEvent<string>).data);
      });
    on("opened", (data) => {
      this.stream = (JSON.parse(data) as { stream: string }).stream;
      this.watch(this.watching);
      this.hear({ kind: "opened" });
      this.hasBeenOpen = true;
      this.cuts = 0;
      this.tell("open");
    });
    on("scene", (data) => this.hear({ kind: "scene", event: JSON.parse(data) as SceneEvent }));
    on("session", (data) => this.hear({ kind: "session", event: JSON.parse(data) as SessionEvent }));
    on("gone", (data) => {
      const { scene_id, session_id } = JSON.parse(data) as { scene_id?: string; session_id?: string };
      const id = scene_id ?? session_id;
      if (id !== undefined) this.hear({ kind: "gone", id });
    });
    on("signed_out", () => this.hear({ kind: "doubt" }));
    on("beat", () => this.hear({ kind: "beat" }));
    source.onerror = () => {
      if (this.source === source) this.cut();
    };
  }

  /** Something came: wait anew for the silence that means a dead line. */
  private listen(): void {
    if (this.silence !== null) clearTimeout(this.silence);
    this.silence = setTimeout(() => this.cut(), SILENCE_MS);
  }

  private cut(): void {
    this.drop();
    this.cuts += 1;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.cuts - 1), LONGEST_WAIT_MS);
    this.timer = setTimeout(() => this.connect(), wait);
    this.tell("reconnecting");
    if (this.cuts >= CUTS_BEFORE_DOUBT) this.hear({ kind: "doubt" });
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
    this.hear({ kind: "state", state });
  }
}
