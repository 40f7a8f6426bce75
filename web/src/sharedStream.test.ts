import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Events, type SceneEvent } from "./events";
import type { Tabs, Word } from "./sharedStream";

/** The connection of a browser to the API; all that are ever made are kept. */
class Source {
  static made: Source[] = [];
  onerror: (() => void) | null = null;
  isClosed = false;
  private readonly listeners = new Map<string, ((message: { data: string }) => void)[]>();

  constructor(
    readonly address: string,
    readonly tab: string,
  ) {
    Source.made.push(this);
  }

  addEventListener(name: string, listener: (message: { data: string }) => void) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }

  say(name: string, data: unknown) {
    for (const listener of this.listeners.get(name) ?? []) listener({ data: JSON.stringify(data) });
  }

  close() {
    this.isClosed = true;
  }
}

/** A browser: its tabs hear each other later, in order, and ask for one lock. */
class Browser {
  private readonly ears = new Map<string, (word: Word) => void>();
  private queue: { tab: string; begin: () => void; lost: () => void }[] = [];
  private leader: { tab: string; lost: () => void } | null = null;
  readonly frozen = new Set<string>();
  readonly hidden = new Set<string>();

  tabs(tab: string): Tabs {
    return {
      listen: (hear) => {
        this.ears.set(tab, hear);
        return () => this.ears.delete(tab);
      },
      post: (word) => {
        if (this.frozen.has(tab)) return;
        const said = structuredClone(word);
        for (const [name, hear] of this.ears) {
          if (name !== tab) {
            setTimeout(() => !this.frozen.has(name) && this.ears.get(name) === hear && hear(said), 1);
          }
        }
      },
      lead: (begin, lost, takesOver) => {
        const asked = { tab, begin, lost };
        if (takesOver) {
          const before = this.leader;
          this.grant(asked);
          if (before) setTimeout(() => before.lost(), 1);
        } else {
          this.queue.push(asked);
          setTimeout(() => this.next(), 1);
        }
        return () => {
          this.queue = this.queue.filter((one) => one !== asked);
          if (this.leader?.tab === tab) this.leader = null;
          setTimeout(() => this.next(), 1);
        };
      },
      isVisible: () => !this.hidden.has(tab),
    };
  }

  /** What happens to a tab that is closed without a word: its document is gone, and its lock free. */
  crash(tab: string) {
    this.ears.delete(tab);
    this.frozen.add(tab);
    this.queue = this.queue.filter((one) => one.tab !== tab);
    if (this.leader?.tab === tab) this.leader = null;
    setTimeout(() => this.next(), 1);
  }

  private next() {
    if (this.leader === null) {
      const asked = this.queue.shift();
      if (asked) this.grant(asked);
    }
  }

  private grant(asked: { tab: string; begin: () => void; lost: () => void }) {
    this.leader = { tab: asked.tab, lost: asked.lost };
    asked.begin();
  }
}

function scene(id: string, version: number, fields: Partial<SceneEvent> = {}): SceneEvent {
  return {
    scene_id: id,
    version,
    state: "planned",
    name: null,
    runs: 10,
    skipped: 0,
    recorded: version,
    cached: 0,
    failed: 0,
    cancelled: 0,
    best: null,
    rate_per_s: null,
    remaining_s: null,
    ...fields,
  };
}

function opened(browser: Browser, tab: string) {
  const hooks = {
    tabs: browser.tabs(tab),
    open: (address: string) => new Source(address, tab) as unknown as EventSource,
    watch: vi.fn(async () => undefined),
    onScene: vi.fn(),
    onSession: vi.fn(),
    onCard: vi.fn(),
    onGone: vi.fn(),
    onReturn: vi.fn(),
    onDoubt: vi.fn(),
  };
  return { hooks, events: new Events(hooks) };
}

/** Let words arrive and locks be granted. */
const settle = () => vi.advanceTimersByTime(20);
const live = () => Source.made.filter((source) => !source.isClosed);
const newest = () => Source.made.at(-1) as Source;

beforeEach(() => {
  Source.made = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe("the tabs of a browser", () => {
  it("have one connection, which watches what any of them does", () => {
    const browser = new Browser();
    const all = ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => opened(browser, name));
    all.forEach(({ events }, place) => void events.add(place === 0 ? "all" : `scene-${place}`));
    settle();
    newest().say("opened", { stream: "s1" });
    settle();
    expect(Source.made).toHaveLength(1);
    expect(all.map(({ events }) => events.state)).toEqual(Array(8).fill("open"));
    const watching = all[0]?.hooks.watch.mock.lastCall as unknown as [string, { scenes: string[] }];
    expect(watching).toEqual([
      "s1",
      { all: true, scenes: [1, 2, 3, 4, 5, 6, 7].map((n) => `scene-${n}`), trading: false },
    ]);

    newest().say("scene", scene("scene-7", 3, { state: "finished" }));
    settle();
    for (const { events, hooks } of all) {
      expect(events.latest("scene-7")?.state).toBe("finished");
      expect(hooks.onScene).toHaveBeenCalledTimes(1);
      expect(hooks.onReturn).not.toHaveBeenCalled();
    }
  });

  it("watch no longer what a tab did that was closed", () => {
    const browser = new Browser();
    const [first, second] = [opened(browser, "a"), opened(browser, "b")];
    first.events.add("all");
    settle();
    newest().say("opened", { stream: "s1" });
    second.events.add("trading");
    settle();
    expect(first.hooks.watch).toHaveBeenLastCalledWith("s1", { all: true, scenes: [], trading: true });
    second.events.close();
    settle();
    expect(first.hooks.watch).toHaveBeenLastCalledWith("s1", { all: true, scenes: [], trading: false });
  });

  it("are told what came before them, without a second telling by the API", () => {
    const browser = new Browser();
    const first = opened(browser, "a");
    first.events.add("all");
    settle();
    newest().say("opened", { stream: "s1" });
    newest().say("scene", scene("x", 7));
    const second = opened(browser, "b");
    second.events.add("x");
    settle();
    expect(second.events.latest("x")?.version).toBe(7);
    expect(second.events.state).toBe("open");
    // Told again as it moves on to another page: nothing has changed, and nothing is read anew.
    second.events.add("all");
    settle();
    expect(second.hooks.onCard).not.toHaveBeenCalled();
    expect(second.hooks.onReturn).not.toHaveBeenCalled();
  });

  it("show that the connection is cut, and read anew when it is back, all of them", () => {
    const browser = new Browser();
    const all = [opened(browser, "a"), opened(browser, "b")];
    for (const { events } of all) events.add("all");
    settle();
    newest().say("opened", { stream: "s1" });
    settle();
    newest().onerror?.();
    settle();
    expect(all.map(({ events }) => events.state)).toEqual(["reconnecting", "reconnecting"]);
    vi.advanceTimersByTime(600);
    newest().say("opened", { stream: "s2" });
    settle();
    for (const { events, hooks } of all) {
      expect(events.state).toBe("open");
      expect(hooks.onReturn).toHaveBeenCalledTimes(1);
    }
  });
});

describe("a leader that goes", () => {
  it.each(["closes", "crashes"])("and %s hands over, and nothing is missed", (how) => {
    const browser = new Browser();
    const [first, second, third] = [opened(browser, "a"), opened(browser, "b"), opened(browser, "c")];
    first.events.add("all");
    settle();
    second.events.add("x");
    third.events.add("trading");
    settle();
    newest().say("opened", { stream: "s1" });
    newest().say("scene", scene("x", 9, { state: "finished" }));
    settle();

    if (how === "closes") first.events.close();
    else browser.crash("a");
    settle();
    const [left] = how === "closes" ? live() : live().filter((source) => source.tab !== "a");
    expect(left?.tab).toBe("b");
    left?.say("opened", { stream: "s2" });
    settle();
    expect(second.hooks.watch).toHaveBeenLastCalledWith("s2", { all: false, scenes: ["x"], trading: true });
    for (const { events, hooks } of [second, third]) {
      expect(events.state).toBe("open");
      expect(hooks.onReturn).toHaveBeenCalledTimes(1);
    }
    // What the new connection says of older days changes nothing.
    left?.say("scene", scene("x", 4));
    settle();
    expect(second.events.latest("x")?.state).toBe("finished");
  });

  it("because the browser has frozen it is replaced by a tab that somebody looks at", () => {
    const browser = new Browser();
    const [first, second, third] = [opened(browser, "a"), opened(browser, "b"), opened(browser, "c")];
    first.events.add("all");
    settle();
    second.events.add("all");
    third.events.add("all");
    browser.hidden.add("b");
    settle();
    newest().say("opened", { stream: "s1" });
    settle();
    browser.frozen.add("a");
    vi.advanceTimersByTime(60_000);
    expect(Source.made.map((source) => source.tab)).toContain("c");
    expect(Source.made.map((source) => source.tab)).not.toContain("b");
    newest().say("opened", { stream: "s2" });
    settle();
    expect([second, third].map(({ events }) => events.state)).toEqual(["open", "open"]);
    // Awake again, it hears that another leads, and has no connection of its own any more.
    browser.frozen.delete("a");
    newest().say("scene", scene("y", 2));
    settle();
    expect(first.events.latest("y")?.version).toBe(2);
    expect(live()).toHaveLength(1);
  });

  it("is left alone while it works, however quiet it is otherwise", () => {
    const browser = new Browser();
    const [first, second] = [opened(browser, "a"), opened(browser, "b")];
    first.events.add("all");
    settle();
    second.events.add("all");
    settle();
    newest().say("opened", { stream: "s1" });
    for (let beat = 0; beat < 20; beat += 1) {
      vi.advanceTimersByTime(15_000);
      newest().say("beat", {});
    }
    expect(Source.made).toHaveLength(1);
    expect(second.events.state).toBe("open");
  });

  it("with a slow clock connects when a tab that is looked at asks it to", () => {
    const browser = new Browser();
    const [first, second] = [opened(browser, "a"), opened(browser, "b")];
    first.events.add("all");
    settle();
    second.events.add("all");
    settle();
    newest().say("opened", { stream: "s1" });
    for (let cut = 0; cut < 6; cut += 1) {
      newest().onerror?.();
      vi.advanceTimersByTime(16_000);
    }
    newest().onerror?.();
    const before = Source.made.length;
    second.events.wake();
    settle();
    expect(Source.made).toHaveLength(before + 1);
  });
});
