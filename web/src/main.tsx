import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./theme.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { configureClient } from "./api";
import { apiReturn, isAnswering, patiently } from "./apiReturn";
import { styleNonce } from "./nonce";
import { prefetchRun, runOpened } from "./pages/run/screens";
import { makeQueryClient } from "./queries";
import { retryFailures } from "./recovery";
import { makeRouter } from "./routes";
import { sessionQuery } from "./session";
import { theme } from "./theme";

configureClient();
const queryClient = makeQueryClient(() => {
  if (queryClient.getQueryData(sessionQuery.queryKey) === null) return;
  queryClient.setQueryData(sessionQuery.queryKey, null);
  void router.invalidate();
});
const router = makeRouter(queryClient);
retryFailures(queryClient, apiReturn);
window.addEventListener("online", apiReturn.now);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") apiReturn.now();
});

// The router asks who is signed in before it asks what a page shows; a run's many candles do not
// wait for that.
const opened = runOpened(window.location.pathname);
if (opened) {
  void patiently(() => import("./pages/run/RunPage"));
  prefetchRun(queryClient, opened);
}

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

// A page that was open while Mela was updated asks for files that are gone: load it anew, once. Where Mela
// does not answer, it would be replaced by the browser's own page of errors; `patiently` waits instead.
window.addEventListener("vite:preloadError", () => {
  void isAnswering().then((isBack) => {
    const at = Number(sessionStorage.getItem("mela.reloaded") ?? 0);
    if (!isBack || Date.now() - at < 10_000) return;
    sessionStorage.setItem("mela.reloaded", String(Date.now()));
    window.location.reload();
  });
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element root");
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={styleNonce}>
      <Notifications position="bottom-right" />
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
