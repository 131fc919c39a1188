// Asks weftd. Nothing is ever sent but GET, and nothing to anybody else.

/// weftd answered, with the reason why not.
export class Refused extends Error {}

export async function get(path, seconds = 20, signal = null) {
  const limits = [AbortSignal.timeout(seconds * 1000), ...(signal ? [signal] : [])];
  const answer = await fetch(path, {
    signal: limits.length > 1 ? AbortSignal.any(limits) : limits[0],
    cache: "no-store",
  });
  const body = await answer.json();
  if (!answer.ok) throw new Refused(body.error ?? `${path}: ${answer.status}`);
  return body;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const shown = () =>
  document.hidden
    ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }))
    : null;

/// Calls `ask` again and again while the page is seen: every `seconds`, and at most a fifth of the time, so that a big
/// fabric is asked less often. now() asks at once; while a question is under way, again as soon as it is answered.
export class Poll {
  constructor(seconds, ask) {
    this.seconds = seconds;
    this.ask = ask;
    this.wake = () => {};
    this.stopped = false;
    this.again = false;
    this.run();
  }
  now() {
    this.again = true;
    this.wake();
  }
  stop() {
    this.stopped = true;
    this.wake();
  }
  async run() {
    while (!this.stopped) {
      await shown();
      this.again = false;
      const began = performance.now();
      await this.ask();
      if (this.again) continue;
      const took = performance.now() - began;
      const rest = Math.max(this.seconds * 1000 - took, took * 4);
      await Promise.race([
        pause(rest),
        new Promise((resolve) => {
          this.wake = resolve;
        }),
      ]);
    }
  }
}
