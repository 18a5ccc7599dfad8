/**
 * Where the refresh token is kept. "cookie": where no script reads it. "memory":
 * gone with the page. "session-storage": as long as the tab; every script of the
 * page reads it. "dangerously-local-storage": until log-out; every script that
 * ever ran on this origin may have taken it along.
 */
export type StorageKind = "cookie" | "memory" | "session-storage" | "dangerously-local-storage";

type Item = "refresh" | "device" | "ending";

export interface Store {
  get(item: Item): string | undefined;
  /** Keeps a value, or forgets it. */
  set(item: Item, value: string | undefined): void;
}

/** Opens the store. In cookie mode it keeps nothing but the mark of a log-out that the issuer does not know of yet. */
export function openStore(kind: StorageKind, issuer: string): Store {
  const memory = new Map<string, string>();
  const backing = () => {
    try {
      return kind === "memory" ? undefined : kind === "session-storage" ? globalThis.sessionStorage : globalThis.localStorage;
    } catch {
      return undefined; // blocked by the browser: memory serves
    }
  };
  const name = (item: Item) => `jotsmith ${item} ${issuer}`;
  return {
    get(item) {
      try {
        return backing()?.getItem(name(item)) ?? memory.get(item);
      } catch {
        return memory.get(item);
      }
    },
    set(item, value) {
      memory.delete(item);
      try {
        const storage = backing();
        if (storage) {
          if (value) storage.setItem(name(item), value);
          else storage.removeItem(name(item));
          return;
        }
      } catch {
        // full or blocked: memory serves
      }
      if (value) memory.set(item, value);
    },
  };
}
