import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, it } from "vitest";
import { client } from "../../client/client.gen";
import { AddSchedule } from "./AddSchedule";

/** 300 scenes, the newest first, as the API answers them: at most `limit`, and those with the words. */
const SCENES = Array.from({ length: 300 }, (_, place) => ({
  scene_id: `scene-${place}`,
  name: `the scene ${place}`,
  strategies: ["sma_cross"],
  instruments: ["binance:BTCUSDT"],
}));
const asked: URLSearchParams[] = [];

async function answer(request: Request): Promise<Response> {
  const { searchParams } = new URL(request.url);
  asked.push(searchParams);
  const words = searchParams.get("text") ?? "";
  const items = SCENES.filter(({ name }) => name.includes(words)).slice(0, Number(searchParams.get("limit")));
  return Response.json({ items, next_cursor: null });
}

afterEach(() => {
  client.setConfig({ baseUrl: "", fetch: undefined });
});

it("finds a scene that is not among the newest, as one types", async () => {
  client.setConfig({
    baseUrl: "http://mela.test",
    fetch: answer as unknown as typeof fetch,
    throwOnError: true,
  });
  const user = userEvent.setup();
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <AddSchedule onDone={() => undefined} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  const field = screen.getByRole("combobox", { name: /Scene/ });
  await user.click(field);
  await screen.findByRole("option", { name: /the scene 0 ·/ });
  expect(screen.queryByRole("option", { name: /the scene 287/ })).toBeNull();
  await user.type(field, "scene 287");
  await user.click(await screen.findByRole("option", { name: /the scene 287/ }));
  expect(asked.at(-1)?.get("text")).toBe("scene 287");
  expect((field as HTMLInputElement).value).toContain("the scene 287");

  // What a scene runs is no part of what the API searches in.
  await user.clear(field);
  await user.type(field, "sma_cross");
  await screen.findByRole("option", { name: /the scene 99 ·/ });
  await user.clear(field);

  // Opened again, it offers others than the one that is chosen.
  await user.click(field);
  await screen.findByRole("option", { name: /the scene 0 ·/ });
});
