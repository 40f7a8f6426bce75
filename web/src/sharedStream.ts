/** One connection for all tabs of a browser that share a sign-in: a browser allows six to a host. */

import {
  type Heard,
  isNothing,
  type Line,
  type Making,
  NOTHING,
  SILENCE_MS,
  Stream,
  type StreamState,
  type Watching,
} from "./stream";

/** What tabs say to each other; `from` is the tab that says it. */
export type Word =
  | { from: string; kind: "watch"; watching: Watching }
  | { from: string; kind: "wake" | "who" | "bye" }
  /** What the leader's connection says: to all */
  | { from: string; kind: "heard"; heard: Heard }
  /** How it is now: to the tab that has asked */
  | { from: string; kind: "now"; to: string; state: StreamState; news: Heard[] };

/** The tabs of a browser, as one of them sees the others. */
export interface Tabs {
  /** Hear what other tabs say, until the function is called that is returned. */
  listen: (hear: (word: Word) => void) => () => void;
  /** Say something to all others. */
  post: (word: Word) => void;
  /**
   * Ask to lead, of which there is one: `begin` is called once this tab does, `lost` where another tab has
   * taken over. The function that is returned gives up. takesOver: do not wait for the leader's end
   */
  lead: (begin: () => void, lost: () => void, takesOver: boolean) => () => void;
  isVisible: () => boolean;
}

/** A stream can be told of this many scenes, whatever tabs watch. */
const MOST_SCENES = 150;

/** What is kept for tabs that come later. */
const MOST_NEWS = 200;

const CHECK_MS = 5_000;

/** A leader passes beats on: one that says nothing for so long does not work any more. */
const QUIET_MS = SILENCE_MS + 10_000;

/**
 * Takes part in the connection of all tabs. One tab leads: it has the connection, tells the others what
 * comes, and watches what any of them does. When it closes, the next one leads, and all read what they
 * may have missed. A leader that the browser has frozen is replaced by a tab that somebody looks at.
 */
export class SharedStream implements Line {
  private readonly id = Math.random().toString(36).slice(2);
  private own = NOTHING;
  private readonly others = new Map<string, Watching>();
  private readonly news = new Map<string, Heard>();
  private stream: Stream | null = null;
  private state: StreamState = "off";
  private leave: (() => void) | null = null;
  private giveUp: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private heardAt = 0;
  private askedAt: number | null = null;

  constructor(
    private readonly tabs: Tabs,
    private readonly making: Making,
    private readonly hear: (heard: Heard) => void,
  ) {}

  watch(watching: Watching): void {
    this.own = watching;
    if (this.leave === null) {
      if (isNothing(watching)) return;
      this.leave = this.tabs.listen((word) => this.read(word));
      this.heardAt = Date.now();
      this.askToLead(false);
    }
    if (this.stream !== null) this.stream.watch(this.united());
    else this.ask({ from: this.id, kind: "watch", watching });
  }

  wake = (): void => {
    if (this.stream !== null) this.stream.wake();
    else if (this.leave !== null) this.ask({ from: this.id, kind: "wake" });
  };

  // The leader hears itself that the network is gone.
  interrupt = (): void => this.stream?.interrupt();

  close(): void {
    if (this.leave === null) return;
    this.tabs.post({ from: this.id, kind: "bye" });
    this.leave();
    this.leave = null;
    this.end();
    this.giveUp?.();
    this.giveUp = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private askToLead(takesOver: boolean): void {
    this.giveUp?.();
    this.giveUp = this.tabs.lead(
      () => this.begin(),
      () => this.lose(),
      takesOver,
    );
  }

  private begin(): void {
    this.askedAt = null;
    this.stream = new Stream(this.making, (heard) => this.spread(heard));
    this.tabs.post({ from: this.id, kind: "who" });
    this.stream.watch(this.united());
  }

  /** Another tab leads now, as this one had not worked for a while. */
  private lose(): void {
    if (this.leave === null) return;
    this.end();
    this.giveUp = null;
    this.askToLead(false);
    this.ask({ from: this.id, kind: "watch", watching: this.own });
  }

  private end(): void {
    this.stream?.close();
    this.stream = null;
    this.others.clear();
    this.news.clear();
  }

  /** Let this tab and all others know what the connection says. */
  private spread(heard: Heard): void {
    const id = idOf(heard);
    if (id !== null) {
      this.news.delete(id);
      if (heard.kind !== "gone") this.news.set(id, heard);
      for (const oldest of this.news.keys()) {
        if (this.news.size <= MOST_NEWS) break;
        this.news.delete(oldest);
      }
    }
    this.tabs.post({ from: this.id, kind: "heard", heard });
    this.take(heard);
  }

  private take(heard: Heard): void {
    if (heard.kind === "state") this.state = heard.state;
    this.hear(heard);
  }

  private read(word: Word): void {
    if (this.stream !== null) this.answer(word, this.stream);
    else if (word.kind === "who") this.ask({ from: this.id, kind: "watch", watching: this.own });
    else if (word.kind === "heard") this.obey([word.heard]);
    else if (word.kind === "now" && word.to === this.id) {
      this.obey([{ kind: "state", state: word.state }, ...word.news]);
    }
  }

  /** Take in what the leader says. */
  private obey(all: readonly Heard[]): void {
    this.heardAt = Date.now();
    this.askedAt = null;
    for (const heard of all) this.take(heard);
  }

  /** Do as a leader what another tab asks. */
  private answer(word: Word, stream: Stream): void {
    if (word.kind === "watch") {
      if (isNothing(word.watching)) this.others.delete(word.from);
      else this.others.set(word.from, word.watching);
      stream.watch(this.united());
      this.tellNow(word.from, stream, word.watching);
    } else if (word.kind === "bye") {
      this.others.delete(word.from);
      stream.watch(this.united());
    } else if (word.kind === "wake") {
      stream.wake();
      this.tellNow(word.from, stream, this.others.get(word.from) ?? NOTHING);
    }
  }

  /** The API tells a connection nothing twice: what a tab that comes later has missed is told here. */
  private tellNow(to: string, stream: Stream, { all, scenes, trading }: Watching): void {
    const news = [...this.news.values()]
      .filter((heard) =>
        heard.kind === "scene"
          ? all || scenes.includes(heard.event.scene_id)
          : heard.kind === "session" && trading,
      )
      .map((heard) => ({ ...heard, isOld: true }));
    this.tabs.post({ from: this.id, kind: "now", to, state: stream.state, news });
  }

  private united(): Watching {
    const every = [this.own, ...this.others.values()];
    const scenes = [...new Set(every.flatMap((one) => one.scenes))].slice(0, MOST_SCENES).sort();
    return { all: every.some((one) => one.all), scenes, trading: every.some((one) => one.trading) };
  }

  /** Ask the leader, who answers each time. */
  private ask(word: Word): void {
    this.tabs.post(word);
    this.askedAt ??= Date.now();
    this.check();
  }

  /** Look after the leader, as long as this tab watches something and is looked at. */
  private check = (): void => {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.stream !== null || this.leave === null || isNothing(this.own)) return;
    this.timer = setTimeout(this.check, CHECK_MS);
    if (!this.tabs.isVisible()) return;
    const now = Date.now();
    const isSilent = this.askedAt !== null && now - this.askedAt >= CHECK_MS;
    if (isSilent || now - this.heardAt >= QUIET_MS) {
      this.askedAt = null;
      this.heardAt = now;
      this.askToLead(true);
    } else if (this.state === "reconnecting" && this.askedAt === null) {
      // Browsers slow down the clocks of a tab that nobody looks at: a leader may be one.
      this.tabs.post({ from: this.id, kind: "wake" });
      this.askedAt = now;
    }
  };
}

function idOf(heard: Heard): string | null {
  if (heard.kind === "scene") return heard.event.scene_id;
  if (heard.kind === "session") return heard.event.session_id;
  return heard.kind === "gone" ? heard.id : null;
}
