import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiReturn, patiently } from "./apiReturn";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("who waits for the API", () => {
  it("is called once, when it answers, and the tries grow rarer until then", async () => {
    let isBack = false;
    const answers = vi.fn(async () => isBack);
    const again = vi.fn();
    new ApiReturn(answers).wait(again);
    await vi.advanceTimersByTimeAsync(60_000);
    // After 1, 2, 4, 8 and then 15 s each.
    expect(answers).toHaveBeenCalledTimes(7);
    expect(again).not.toHaveBeenCalled();
    isBack = true;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(again).toHaveBeenCalledTimes(1);
    expect(answers).toHaveBeenCalledTimes(8);
  });

  it("is called at once where something says that it is back", async () => {
    const answers = vi.fn(async () => true);
    const api = new ApiReturn(answers);
    api.now();
    expect(answers).not.toHaveBeenCalled();
    const again = vi.fn();
    api.wait(again);
    api.now();
    await vi.advanceTimersByTimeAsync(0);
    expect(again).toHaveBeenCalledTimes(1);
  });

  it("waits longer each time where an answering API fails it again", async () => {
    const api = new ApiReturn(async () => true);
    const at: number[] = [];
    const begin = Date.now();
    const again = () => {
      at.push((Date.now() - begin) / 1_000);
      api.wait(again);
    };
    api.wait(again);
    await vi.advanceTimersByTimeAsync(32_000);
    expect(at).toEqual([1, 3, 7, 15, 30]);
  });

  it("asks nothing any more once nobody waits", async () => {
    const answers = vi.fn(async () => true);
    new ApiReturn(answers).wait(vi.fn())();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answers).not.toHaveBeenCalled();
  });
});

describe("a part of the application", () => {
  it("is loaded once the API that serves it is back", async () => {
    const ask = vi.fn().mockRejectedValueOnce(new TypeError("Failed to fetch"));
    ask.mockResolvedValue({ status: 200 });
    vi.stubGlobal("fetch", ask);
    const load = vi.fn(async () => "the page").mockRejectedValueOnce(new TypeError("Failed to fetch"));
    const loaded = patiently(load);
    await vi.advanceTimersByTimeAsync(20_000);
    await expect(loaded).resolves.toBe("the page");
    expect(load).toHaveBeenCalledTimes(2);
  });

  it("fails at once where the API answers: the file is gone", async () => {
    vi.stubGlobal("fetch", async () => ({ status: 200 }));
    await expect(patiently(() => Promise.reject(new Error("no such file")))).rejects.toThrow("no such file");
  });
});
