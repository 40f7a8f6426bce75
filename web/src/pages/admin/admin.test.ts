import { expect, it } from "vitest";
import { detailText } from "./AuditTab";
import { stateOf } from "./InvitationsTab";
import { limitText } from "./Quota";

it("tells a default limit from none", () => {
  expect([null, 0, 5_000].map(limitText)).toEqual(["default", "any", "5,000"]);
});

it("tells open invitations from ended and used ones", () => {
  const row = { used_at: null, used_by: null, ends_at: "2026-01-02T00:00:00Z" };
  const before = Date.parse("2026-01-01T00:00:00Z");
  expect(stateOf(row, before)).toBe("open");
  expect(stateOf(row, before + 2 * 86_400_000)).toBe("ended");
  expect(stateOf({ ...row, used_at: "2026-01-01T00:00:00Z", used_by: "ada" }, before)).toBe("used by ada");
  expect(stateOf({ ...row, used_at: "2026-01-01T00:00:00Z" }, before)).toBe("used");
});

it("writes details in one line", () => {
  expect(detailText({ role: "trader", days: 7, scopes: ["read"] })).toBe(
    'role: trader, days: 7, scopes: ["read"]',
  );
  expect(detailText(null)).toBe("");
});
