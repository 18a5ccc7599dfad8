/**
 * The tabs of one origin: turns, and messages. Both spare requests and nothing
 * else: where the browser has neither, or a lock is stolen, the issuer answers
 * tabs that refresh at once with the same successor.
 */
export interface Tabs {
  send(message: unknown): void;
  /** Runs work when no other tab of the name does; its argument is whether it had to wait. */
  turn<T>(work: (waited: boolean) => Promise<T>): Promise<T>;
  close(): void;
}

const patience = 5_000;

export function openTabs(name: string, many: boolean, receive: (message: unknown) => void): Tabs {
  let channel: BroadcastChannel | undefined;
  if (many && typeof BroadcastChannel === "function") {
    try {
      channel = new BroadcastChannel(name);
      channel.onmessage = (event) => { receive(event.data); };
    } catch {
      // an opaque origin has none
    }
  }
  let last: Promise<unknown> = Promise.resolve();
  return {
    send(message) {
      channel?.postMessage(message);
    },
    turn(work) {
      const mine = last.then(() => (many ? exclusive(name, work) : work(false)));
      last = mine.catch(() => undefined);
      return mine;
    },
    close() {
      channel?.close();
      channel = undefined;
    },
  };
}

async function exclusive<T>(name: string, work: (waited: boolean) => Promise<T>): Promise<T> {
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
  let running: Promise<T> | undefined;
  if (locks) {
    const ways: LockOptions[] = [{ ifAvailable: true }, {}, { steal: true }];
    for (const way of ways) {
      const impatient = new AbortController();
      const timer = setTimeout(() => { impatient.abort(); }, patience);
      if (way !== ways[0] && !way.steal) way.signal = impatient.signal;
      try {
        await locks.request(name, way, (lock) => {
          clearTimeout(timer);
          return lock && (running = work(way !== ways[0]));
        });
      } catch {
        // waited too long, was stolen from, or work failed: running says which
      }
      clearTimeout(timer);
      if (running) return running;
    }
  }
  return work(false);
}
