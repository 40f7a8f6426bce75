import { expect, it } from "vitest";
import { asked, instantOf, isFiltered } from "./filter";

it("asks for the scenes of whoever looks where the address says me", () => {
  expect(asked({ owner: "me" }, "ada").owner).toBe("ada");
  expect(asked({ owner: "bob" }, "ada").owner).toBe("bob");
});

it("leaves out a state that there is not", () => {
  expect(asked({ state: "running" }, "ada").state).toEqual(["running"]);
  expect(asked({ state: "sleeping" }, "ada").state).toBeUndefined();
});

it("writes a day as its first instant", () => {
  expect(instantOf("2023-01-01")).toBe("2023-01-01T00:00:00Z");
  expect(instantOf("2023-01-01T05:00:00Z")).toBe("2023-01-01T05:00:00Z");
  expect(instantOf(undefined)).toBeUndefined();
});

it("knows whether anything is left out", () => {
  expect(isFiltered({})).toBe(false);
  expect(isFiltered({ text: undefined })).toBe(false);
  expect(isFiltered({ tag: "btc" })).toBe(true);
});
