import { expect, it } from "vitest";
import { parse } from "yaml";
import { firstSession, sessionOfRun } from "./firstSession";

const RUN = {
  instruments: ["binance:BTCUSDT"],
  interval: "1h",
  start: "2023-01-01T00:00:00Z",
  end: "2024-01-01T00:00:00Z",
  strategy: "sma_cross",
  params: { fast: 10, slow: 30 },
  inputs: null,
  terms: { cash: 10_000, engine: "mela", exits: { stop_loss: 0.05 }, portfolio: null },
};

it("trades on paper what a run has tried, without its span", () => {
  expect(parse(sessionOfRun(RUN))).toEqual({
    schema_version: 1,
    name: "sma_cross on binance:BTCUSDT",
    instruments: ["binance:BTCUSDT"],
    interval: "1h",
    strategy: { name: "sma_cross", params: { fast: 10, slow: 30 } },
    cash: 10_000,
    exits: { stop_loss: 0.05 },
    broker: { kind: "paper" },
  });
});

it("trades several instruments of a run in one account", () => {
  const text = sessionOfRun({ ...RUN, instruments: ["a:A", "a:B"], inputs: { long: { interval: "1d" } } });
  expect(parse(text)).toMatchObject({ mode: "together", inputs: { long: { interval: "1d" } } });
});

it("begins with a stored series of minutes", () => {
  const row = (instrument: string, interval: string) => ({
    instrument,
    interval,
    first_opened_at: "2023-01-01T00:00:00Z",
    last_opened_at: "2023-01-02T00:00:00Z",
    is_watched: false,
    findings: 0,
    gaps: 0,
  });
  const found = parse(firstSession([row("binance:ETHUSDT", "1h"), row("binance:BNBUSDT", "1m")]));
  expect(found).toMatchObject({
    instruments: ["binance:BNBUSDT"],
    interval: "1m",
    broker: { kind: "paper" },
  });
  expect(parse(firstSession([])).instruments).toEqual(["binance:BTCUSDT"]);
});
