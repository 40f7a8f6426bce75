/** What a tab watches, and the newest that it has heard of each scene and trading session. */

import { SharedStream, type Tabs } from "./sharedStream";
import {
  type Heard,
  type Line,
  type Making,
  type SceneEvent,
  type SessionEvent,
  Stream,
  type StreamState,
  type Watched,
  type Watching,
} from "./stream";

export type { SceneEvent, SessionEvent, StreamState, Watched, Watching } from "./stream";

export interface StreamHooks extends Making {
  /** The other tabs of this browser, with which the stream is shared; alone without them */
  tabs?: Tabs;
  /** A scene has a newer version than was known. */
  onScene: (event: SceneEvent) => void;
  /** A trading session has a newer version than was known. */
  onSession: (event: SessionEvent) => void;
  /** What people say of a scene has changed: its name, or whether it is shared. Its version has not. */
  onCard: (event: SceneEvent) => void;
  /** A scene or session may not be seen any more. */
  onGone: (id: string) => void;
  /** The connection came back: what was missed must be read. */
  onReturn: () => void;
  /** The connection was refused or cut several times, or the sign-in has ended. */
  onDoubt: () => void;
}

/** Counts what the parts of a page watch, and keeps the newest version of each scene and session. */
export class Events {
  private hasBeenOpen = false;
  private readonly watchers = new Map<Watched, number>();
  private readonly newest = new Map<string, SceneEvent>();
  private readonly newestSessions = new Map<string, SessionEvent>();
  private readonly listeners = new Set<() => void>();
  private readonly line: Line;
  private now: StreamState = "off";

  constructor(private readonly hooks: StreamHooks) {
    const hear = (heard: Heard) => this.hear(heard);
    this.line = hooks.tabs ? new SharedStream(hooks.tabs, hooks, hear) : new Stream(hooks, hear);
  }

  get state(): StreamState {
    return this.watchers.size === 0 ? "off" : this.now;
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
  wake = (): void => this.line.wake();

  /** The network is gone. */
  interrupt = (): void => this.line.interrupt();

  /** Leave the line while the page is kept aside, unseen: `settle` takes part again. */
  pause = (): void => this.line.close();

  close(): void {
    this.line.close();
    this.watchers.clear();
    this.tell("off");
  }

  /** Let the line know what is watched. */
  settle = (): void => {
    this.line.watch(this.watching);
    this.tell(this.now);
  };

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

  private hear(heard: Heard): void {
    if (heard.kind === "scene") {
      const known = this.newest.get(heard.event.scene_id);
      // The API tells the same version twice on a connection where something else has changed.
      const isCard = known?.version === heard.event.version && !heard.isOld;
      if (!this.take(heard.event) && isCard) this.hooks.onCard(heard.event);
    } else if (heard.kind === "session") {
      this.takeSession(heard.event);
    } else if (heard.kind === "gone") {
      this.newest.delete(heard.id);
      this.newestSessions.delete(heard.id);
      this.hooks.onGone(heard.id);
      this.tell(this.now);
    } else if (heard.kind === "opened") {
      if (this.hasBeenOpen) this.hooks.onReturn();
      this.hasBeenOpen = true;
    } else if (heard.kind === "state") {
      if (heard.state === "open") this.hasBeenOpen = true;
      this.tell(heard.state);
    } else if (heard.kind === "doubt") {
      this.hooks.onDoubt();
    }
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
