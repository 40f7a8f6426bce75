import { beforeEach, expect, it } from "vitest";
import { firstText, forgetDraft, keepDraft, keptDraft, lastYear } from "./draft";
import { read } from "./sceneText";

const DRAFT = { text: "a: 1\n", name: "n", note: "", tags: ["x"], isPrivate: true };
const SERIES = [
  {
    instrument: "yahoo:SPY",
    interval: "1d",
    first_opened_at: "2020-01-02T00:00:00Z",
    last_opened_at: "2024-01-02T00:00:00Z",
  },
  {
    instrument: "binance:BTCUSDT",
    interval: "1h",
    first_opened_at: "2022-01-01T00:00:00Z",
    last_opened_at: "2023-12-31T23:00:00Z",
  },
];

beforeEach(() => localStorage.clear());

it("keeps a draft for each user", () => {
  keepDraft("ada", DRAFT);
  expect(keptDraft("ada")).toEqual(DRAFT);
  expect(keptDraft("bob")).toBeNull();
  forgetDraft("ada");
  expect(keptDraft("ada")).toBeNull();
});

it("forgets what it cannot read", () => {
  localStorage.setItem("mela.draft.ada", "{");
  expect(keptDraft("ada")).toBeNull();
  expect(localStorage.length).toBe(0);
});

it("begins with the last year of candles that there are", () => {
  expect(read(firstText(SERIES, "sma_cross")).scene).toMatchObject({
    instruments: ["binance:BTCUSDT"],
    interval: "1h",
    start: "2022-12-31T00:00:00Z",
    end: "2023-12-31T00:00:00Z",
  });
  expect(read(firstText(SERIES, "sma_cross", "yahoo:SPY")).scene).toMatchObject({ interval: "1d" });
});

it("takes all days of a series that is shorter than a year", () => {
  const series = { first_opened_at: "2023-01-01T05:00:00Z", last_opened_at: "2023-01-10T23:00:00Z" };
  expect(lastYear(series)).toEqual({ start: "2023-01-02", end: "2023-01-10" });
});

it("is a scene also where there are no candles yet", () => {
  expect(read(firstText([], "sma_cross")).scene).toMatchObject({ instruments: ["binance:BTCUSDT"] });
});
