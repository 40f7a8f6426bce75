/** Waits for an API that does not answer, and tells those who wait that it does again. */

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

/** Who waits again so long after the last try begins with short waits. */
const FORGOTTEN_MS = 60_000;

/**
 * Asks the API now and then, as long as somebody waits for it, and calls all of them once it answers.
 *
 * Who fails again although it answers waits anew, and longer each time: 1 s at first, 15 s at most.
 */
export class ApiReturn {
  private readonly waiting = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private isAsking = false;
  private tries = 0;
  private triedAt = Number.NEGATIVE_INFINITY;

  /** answers: asks the API, and tells whether it can answer */
  constructor(private readonly answers: () => Promise<boolean>) {}

  /** Call a function once when the API answers; the function that is returned takes that back. */
  wait(again: () => void): () => void {
    if (Date.now() - this.triedAt > FORGOTTEN_MS) this.tries = 0;
    this.waiting.add(again);
    this.plan();
    return () => {
      this.waiting.delete(again);
      if (this.waiting.size > 0 || this.timer === null) return;
      clearTimeout(this.timer);
      this.timer = null;
    };
  }

  /** Ask at once: something says that the API may be back. */
  now = (): void => {
    if (this.waiting.size === 0) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.tries = 0;
    void this.ask();
  };

  private plan(): void {
    if (this.timer !== null || this.isAsking || this.waiting.size === 0) return;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** this.tries, LONGEST_WAIT_MS);
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.ask();
    }, wait);
  }

  private async ask(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    this.tries += 1;
    const isBack = await this.answers();
    this.isAsking = false;
    this.triedAt = Date.now();
    if (isBack) {
      const called = [...this.waiting];
      this.waiting.clear();
      for (const again of called) again();
    }
    this.plan();
  }
}

/** Ask who is signed in, which needs all that any page needs; a refusal is an answer. */
export async function isAnswering(): Promise<boolean> {
  try {
    const { status } = await fetch("/api/v1/session", { credentials: "same-origin", cache: "no-store" });
    return status < 500 && status !== 429;
  } catch {
    return false;
  }
}

/** What all parts of the application wait with. */
export const apiReturn = new ApiReturn(isAnswering);

/** Load a part of the application; where the API, which serves it, is away, wait until it is back. */
export async function patiently<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    if (await isAnswering()) throw error;
    await new Promise<void>((back) => apiReturn.wait(back));
    return await load();
  }
}
