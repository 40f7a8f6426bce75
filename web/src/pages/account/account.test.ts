import { expect, it } from "vitest";
import { used } from "./AccountPage";
import { browserOf } from "./SessionsPanel";

it("names browsers and other programs", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36";
  const safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1";
  expect([chrome, safari, "python-httpx/0.28", null].map(browserOf)).toEqual([
    "Chrome on Linux",
    "Safari on iOS",
    "python-httpx",
    "unknown program",
  ]);
});

it("says how much of a quota is used", () => {
  expect(used(1_200, 5_000, "runs today")).toBe("1,200 of 5,000 runs today");
  expect(used(3, 0, "scenes at once")).toBe("3 scenes at once, without a limit");
});
