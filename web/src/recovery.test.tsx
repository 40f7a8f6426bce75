import { MantineProvider } from "@mantine/core";
import { focusManager, QueryClientProvider, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { act, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiReturn } from "./apiReturn";
import { Freshness, hasAnswer, Unanswered } from "./components/Answer";
import { Problem } from "./problem";
import { makeQueryClient } from "./queries";
import { retryFailures } from "./recovery";

const AWAY = new Problem({ title: "Mela cannot be reached", status: 0 });
const ABSENT = new Problem({ title: "Not found", status: 404 });

let failure: Problem | null = null;
let version = 1;
let end: () => void = () => undefined;

async function read(): Promise<string> {
  if (failure) throw failure;
  return `version ${version}`;
}

function Page() {
  const found = useQuery({ queryKey: ["page"], queryFn: read });
  if (!hasAnswer(found)) return <Unanswered to={found} what="This run" />;
  return <p>{found.data}</p>;
}

function Rows() {
  const found = useInfiniteQuery({
    queryKey: ["rows"],
    queryFn: read,
    initialPageParam: null,
    getNextPageParam: () => null,
  });
  if (!hasAnswer(found)) return <Unanswered to={found} />;
  return <p>rows of {found.data.pages[0]}</p>;
}

async function shown(page: ReactNode) {
  const client = makeQueryClient(() => undefined);
  end = retryFailures(client, new ApiReturn(async () => failure?.status !== 0));
  const root = createRootRoute({
    component: () => (
      <>
        <Freshness />
        {page}
      </>
    ),
  });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  render(
    <MantineProvider>
      <QueryClientProvider client={client}>
        <RouterProvider router={router as never} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  await pass(100);
  return client;
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const freshness = () => document.querySelector("[data-freshness]")?.getAttribute("data-freshness");

beforeEach(() => {
  vi.useFakeTimers();
  failure = null;
  version = 1;
  focusManager.setFocused(true);
});
afterEach(() => {
  end();
  focusManager.setFocused(undefined);
  vi.useRealTimers();
});

describe.each([
  ["one answer", <Page key="page" />],
  ["a list", <Rows key="rows" />],
])("a page of %s", (_, page) => {
  it("keeps what it shows while the API is away, says so, and reads it anew by itself", async () => {
    const client = await shown(page);
    expect(screen.getByText(/version 1/)).toBeTruthy();
    expect(freshness()).toBe("fresh");

    failure = AWAY;
    void client.invalidateQueries();
    await pass(10_000);
    expect(screen.getByText(/version 1/)).toBeTruthy();
    expect(screen.queryByRole("alert")).toBeNull();
    expect(freshness()).toBe("old");

    failure = null;
    version = 2;
    await pass(16_000);
    expect(screen.getByText(/version 2/)).toBeTruthy();
    expect(freshness()).toBe("fresh");
  });

  it("that could read nothing says why, and shows it by itself once the API is back", async () => {
    failure = AWAY;
    await shown(page);
    await pass(10_000);
    expect(screen.getByRole("alert").textContent).toContain("cannot be reached");
    await pass(60_000);
    expect(screen.getByRole("alert")).toBeTruthy();
    // An answering API may still fail this: what went wrong does not come and go with each try.
    failure = new Problem({ title: "Airflow does not answer", status: 503 });
    for (let second = 0; second < 60; second += 1) {
      await pass(1_000);
      expect(screen.getByRole("alert")).toBeTruthy();
    }
    failure = null;
    await pass(21_000);
    expect(screen.getByText(/version 1/)).toBeTruthy();
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

describe("what the API hides from now on", () => {
  it("does not stay, and the page says that it was shared once", async () => {
    const client = await shown(<Page />);
    failure = ABSENT;
    await act(() => client.invalidateQueries());
    await pass(100);
    expect(screen.queryByText(/version 1/)).toBeNull();
    expect(screen.getByText("This run is not shared any more")).toBeTruthy();
  });

  it("reads as absent where it never was shown, and is not asked for again by itself", async () => {
    failure = ABSENT;
    await shown(<Page />);
    expect(screen.getByRole("alert").textContent).toContain("Not found");
    failure = null;
    await pass(60_000);
    expect(screen.getByRole("alert")).toBeTruthy();
  });
});

describe("the pages", () => {
  it("take an answer that is there before an error, all of them", () => {
    const pages = import.meta.glob("./pages/**/*.tsx", { query: "?raw", import: "default", eager: true });
    expect(Object.keys(pages).length).toBeGreaterThan(80);
    const wrong = Object.entries(pages as Record<string, string>).filter(([, text]) =>
      /if \((\w+\.)?error\) return <ProblemView error=\{(\w+\.)?error\} onRetry|\{(\w+\.)?error && <ProblemView error=\{(\w+\.)?error\} onRetry|found\.error \?/.test(
        text,
      ),
    );
    expect(wrong.map(([path]) => path)).toEqual([]);
  });
});
