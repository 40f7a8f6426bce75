import type { Tabs, Word } from "./sharedStream";

/**
 * Return the tabs of this browser that share a name, by BroadcastChannel and Web Locks; undefined where the
 * browser has none of them, as on a page that came neither over TLS nor from this machine.
 */
export function tabsOf(name: string): Tabs | undefined {
  if (typeof BroadcastChannel === "undefined" || !navigator.locks) return undefined;
  let channel: BroadcastChannel | null = null;
  return {
    listen: (hear) => {
      const mine = new BroadcastChannel(name);
      mine.onmessage = (message: MessageEvent<Word>) => hear(message.data);
      channel = mine;
      return () => {
        mine.close();
        if (channel === mine) channel = null;
      };
    },
    post: (word) => channel?.postMessage(word),
    lead: (begin, lost, takesOver) => lead(name, begin, lost, takesOver),
    isVisible: () => document.visibilityState === "visible",
  };
}

function lead(name: string, begin: () => void, lost: () => void, takesOver: boolean): () => void {
  const asking = new AbortController();
  let hasGivenUp = false;
  let release = (): void => undefined;
  const hold = () => {
    if (hasGivenUp) return;
    begin();
    return new Promise<void>((done) => {
      release = done;
    });
  };
  navigator.locks
    .request(name, takesOver ? { steal: true } : { signal: asking.signal }, hold)
    .catch((error: unknown) => {
      if (hasGivenUp) return;
      // Where the browser refuses locks, each tab has a stream of its own.
      if (error instanceof DOMException && error.name === "AbortError") lost();
      else begin();
    });
  return () => {
    hasGivenUp = true;
    asking.abort();
    release();
  };
}
