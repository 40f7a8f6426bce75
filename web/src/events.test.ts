import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Events, freshened, type SceneEvent } from "./events";

class Source {
  static made: Source[] = [];
  onerror: (() => void) | null = null;
  isClosed = false;
  private readonly listeners = new Map<string, ((message: { data: string }) => void)[]>();

  constructor(readonly address: string) {
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

function event(version: number, fields: Partial<SceneEvent> = {}): SceneEvent {
  return {
    scene_id: "a",
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

function made() {
  const hooks = {
    open: (address: string) => new Source(address) as unknown as EventSource,
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

beforeEach(() => {
  Source.made = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

const newest = () => Source.made.at(-1) as Source;

describe("a line that is dead", () => {
  it("is told by its silence, and a beat keeps a quiet one open", () => {
    const { events } = made();
    events.add("all");
    newest().say("opened", { stream: "s" });
    for (let beats = 0; beats < 4; beats += 1) {
      vi.advanceTimersByTime(15_000);
      newest().say("beat", {});
    }
    expect(events.state).toBe("open");

    const dead = newest();
    vi.advanceTimersByTime(40_000);
    expect(dead.isClosed).toBe(true);
    expect(events.state).toBe("reconnecting");
    vi.advanceTimersByTime(500);
    newest().say("opened", { stream: "t" });
    expect(events.state).toBe("open");
    events.close();
  });
});

describe("versions", () => {
  it("only rise: an older or equal event changes nothing", () => {
    const { events, hooks } = made();
    expect(events.take(event(5, { state: "finished" }))).toBe(true);
    expect(events.take(event(4))).toBe(false);
    expect(events.take(event(5))).toBe(false);
    expect(events.latest("a")?.state).toBe("finished");
    expect(hooks.onScene).toHaveBeenCalledTimes(1);
  });

  it("of an answer win over older events, and lose to newer ones", () => {
    const row = { scene_id: "a", version: 5, state: "finished" as const, recorded: 10, tags: ["x"] };
    expect(freshened(row, event(4))).toBe(row);
    expect(freshened(row, event(6, { state: "finished", recorded: 11 }))).toEqual({
      ...row,
      version: 6,
      recorded: 11,
    });
  });

  it("survive a cut: a snapshot that is older is not shown", () => {
    const { events } = made();
    events.add("a");
    newest().say("opened", { stream: "1" });
    newest().say("scene", event(9, { state: "finished" }));
    newest().onerror?.();
    vi.advanceTimersByTime(500);
    newest().say("opened", { stream: "2" });
    newest().say("scene", event(3));
    expect(events.latest("a")?.state).toBe("finished");
  });
});

describe("the connection", () => {
  it("is one for all that is watched, and is told when that changes", async () => {
    const { events, hooks } = made();
    events.add("a");
    newest().say("opened", { stream: "s1" });
    const leave = events.add("b");
    expect(Source.made).toHaveLength(1);
    expect(hooks.watch).toHaveBeenLastCalledWith("s1", { all: false, scenes: ["a", "b"], trading: false });
    leave();
    expect(hooks.watch).toHaveBeenLastCalledWith("s1", { all: false, scenes: ["a"], trading: false });
  });

  it("asks after a cut for what is watched then, and waits longer each time", () => {
    const { events, hooks } = made();
    events.add("a");
    newest().say("opened", { stream: "s1" });
    events.add("b");
    newest().onerror?.();
    expect(events.state).toBe("reconnecting");
    vi.advanceTimersByTime(499);
    expect(Source.made).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(newest().address).toBe("/api/v1/events?scene=a&scene=b");
    newest().onerror?.();
    expect(hooks.onDoubt).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(999);
    expect(Source.made).toHaveLength(2);
    vi.advanceTimersByTime(1);
    newest().say("opened", { stream: "s3" });
    expect(events.state).toBe("open");
    expect(hooks.onReturn).toHaveBeenCalledTimes(1);
  });

  it("ends when nothing is watched", () => {
    const { events } = made();
    const leave = events.add("all");
    expect(newest().address).toBe("/api/v1/events?all=true");
    leave();
    expect(newest().isClosed).toBe(true);
    expect(events.state).toBe("off");
    vi.advanceTimersByTime(60_000);
    expect(Source.made).toHaveLength(1);
  });

  it("counts as cut when the network is gone, though nobody closed it", () => {
    const { events } = made();
    events.add("all");
    newest().say("opened", { stream: "s1" });
    events.interrupt();
    expect(events.state).toBe("reconnecting");
    expect(newest().isClosed).toBe(true);
  });

  it("is made at once when the network comes back", () => {
    const { events } = made();
    events.add("all");
    for (let cut = 0; cut < 5; cut++) {
      newest().onerror?.();
      vi.advanceTimersByTime(20_000);
    }
    newest().onerror?.();
    const before = Source.made.length;
    events.wake();
    expect(Source.made).toHaveLength(before + 1);
  });
});

describe("what is not shared any more", () => {
  it("is forgotten, and told; shared again it is news, though its version is the same", () => {
    const { events, hooks } = made();
    events.add("a");
    newest().say("opened", { stream: "s1" });
    newest().say("scene", event(5, { state: "finished" }));
    newest().say("gone", { scene_id: "a" });
    expect(hooks.onGone).toHaveBeenCalledExactlyOnceWith("a");
    expect(events.latest("a")).toBeUndefined();
    newest().say("scene", event(5, { state: "finished" }));
    expect(hooks.onScene).toHaveBeenCalledTimes(2);
    newest().say("gone", { session_id: "t" });
    expect(hooks.onGone).toHaveBeenLastCalledWith("t");
  });
});

describe("the same version, told twice", () => {
  it("means that its name has changed, or who may see it", () => {
    const { events, hooks } = made();
    events.add("a");
    newest().say("opened", { stream: "s1" });
    newest().say("scene", event(5, { state: "finished", name: "before" }));
    expect(hooks.onCard).not.toHaveBeenCalled();
    newest().say("scene", event(5, { state: "finished", name: "after" }));
    expect(hooks.onCard).toHaveBeenCalledTimes(1);
    expect(hooks.onScene).toHaveBeenCalledTimes(1);
    newest().say("scene", event(4, { name: "older" }));
    expect(hooks.onCard).toHaveBeenCalledTimes(1);
  });
});

describe("a sign-in that has ended", () => {
  it("is doubted as soon as the API says so", () => {
    const { events, hooks } = made();
    events.add("a");
    newest().say("opened", { stream: "s1" });
    newest().say("signed_out", {});
    expect(hooks.onDoubt).toHaveBeenCalledTimes(1);
  });
});
