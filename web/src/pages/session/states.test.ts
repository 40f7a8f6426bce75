import { expect, it } from "vitest";
import { hasEnded, sawWords } from "./states";

it("ends with stopped and failed, and with nothing else", () => {
  const states = ["starting", "running", "paused", "stopping", "stopped", "failed"] as const;
  expect(states.filter(hasEnded)).toEqual(["stopped", "failed"]);
});

it("says of what is missing that it is not known", () => {
  expect(sawWords({ daily_loss: 0.031, limit: 0.03, equity: null })).toBe(
    "daily loss 0.031, limit 0.03, equity not known",
  );
});
