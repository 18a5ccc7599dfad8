import { TokenError } from "./errors.js";
import { get, steady } from "./fetch.js";
import { KeySet, maxSet, parseKeySet, type Key } from "./keys.js";
import type { Keys } from "./token.js";

const coolDown = 10; // seconds between fetches that unknown key ids cause: anybody can send them
const missingFor = 60; // how long an id that led nowhere causes no other
const maxMissing = 1000;
const maxStale = 24 * 3600; // how long keys outlive the last answer
const minAge = 60, defaultAge = 600, maxAge = 3600; // whatever Cache-Control says: within the last a removed key is trusted no more

interface State {
  set: KeySet;
  etag: string | undefined;
  confirmed: number;
  fresh: number; // until then the set can also say that a key does not exist
}

/** A key set that follows its issuer. */
export class RemoteKeys implements Keys {
  #state: State | undefined;
  #flight: Promise<void> | undefined;
  #tried = -Infinity; // when the last fetch failed, or was caused by an unknown key id
  #failures = 0;
  readonly #missing = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly url: string,
    private readonly send: typeof fetch,
    private readonly signal: AbortSignal,
    private readonly warn: (message: string, error: unknown) => void,
  ) {
    signal.addEventListener("abort", () => { clearTimeout(this.#timer); });
  }

  trusts(key: Key): boolean {
    return this.#usable()?.set.trusts(key) ?? false;
  }

  find(kid: string | undefined): Key | undefined | Promise<Key | undefined> {
    const state = this.#usable();
    const key = state?.set.find(kid);
    if (key) return key;
    if (state && steady() < state.fresh && (this.#missing.get(kid ?? "") ?? 0) > steady()) return undefined;
    return this.#search(kid);
  }

  async #search(kid: string | undefined): Promise<Key | undefined> {
    const began = steady();
    let failure: unknown;
    try {
      await (this.#flight ?? (began - this.#tried < coolDown ? Promise.reject(new Error("the last fetch was a moment ago")) : this.#begin(began)));
    } catch (e) {
      failure = e;
    }
    const state = this.#usable();
    if (!state) throw new TokenError("keys_unavailable", "the issuer's keys could not be had", { cause: failure });
    const key = state.set.find(kid);
    if (key) return key;
    // A set past its age cannot say that a key does not exist.
    if (failure && began >= state.fresh) throw new TokenError("keys_unavailable", "its key is not in the key set, which could not be renewed", { cause: failure });
    if (!failure && (kid?.length ?? 0) <= 256) {
      if (this.#missing.size >= maxMissing) for (const [id, until] of this.#missing) if (until <= began) this.#missing.delete(id);
      if (this.#missing.size < maxMissing) this.#missing.set(kid ?? "", began + missingFor);
    }
    return undefined;
  }

  /** Fetches now, or waits for the fetch under way. */
  refresh(): Promise<void> {
    return this.#flight ?? this.#begin();
  }

  #usable(): State | undefined {
    return this.#state && steady() - this.#state.confirmed < maxStale ? this.#state : undefined;
  }

  #begin(tried?: number): Promise<void> {
    if (tried !== undefined) this.#tried = tried;
    return (this.#flight = this.#fetch().finally(() => { this.#flight = undefined; }));
  }

  async #fetch(): Promise<void> {
    try {
      const old = this.#state;
      const answer = await get(this.send, this.url, ["application/json", "application/jwk-set+json"],
        { maxSize: maxSet, timeout: 10, etag: old?.etag, signal: this.signal });
      const confirmed = steady();
      const set = old && answer.notModified ? old.set : keep(old?.set, parseKeySet(answer.body));
      // An issuer that verifies nothing is a fault, not a wish.
      if (set.keys.length === 0) throw new Error(`${this.url} holds no key that can be used`);
      if (set !== old?.set) this.#missing.clear();
      const etag = answer.notModified ? old?.etag : (answer.headers.get("ETag") ?? undefined);
      this.#state = { set, etag, confirmed, fresh: confirmed + age(answer.headers) };
      this.#failures = 0;
      this.#schedule(this.#state.fresh - confirmed);
    } catch (e) {
      this.#failures++;
      this.#tried = steady();
      if (this.#state && !this.signal.aborted) {
        this.warn("fetching the key set failed", e);
        this.#schedule(Math.min(coolDown * 2 ** Math.min(this.#failures - 1, 6), 60));
      }
      throw e;
    }
  }

  #schedule(seconds: number): void {
    clearTimeout(this.#timer);
    if (this.signal.aborted) return;
    // Verifiers that started together must not ask together.
    this.#timer = setTimeout(() => { this.refresh().catch(() => undefined); }, seconds * 1000 * (1 - Math.random() / 5));
    this.#timer.unref();
  }
}

// keep returns the new set with each key that is unchanged replaced by the one
// that is held, so that tokens that were verified by it stay so.
function keep(old: KeySet | undefined, set: KeySet): KeySet {
  if (!old) return set;
  const keys = set.keys.map((key) => {
    const held = old.find(key.kid);
    return held?.alg === key.alg && held.thumbprint === key.thumbprint ? held : key;
  });
  return keys.length === old.keys.length && keys.every((key) => old.trusts(key)) ? old : new KeySet(keys);
}

// age is how long an answer may be used (RFC 9111 §4.2), in seconds.
function age(headers: Headers): number {
  const control = (headers.get("Cache-Control") ?? "").toLowerCase();
  if (/(^|[\s,])no-(store|cache)\b/.test(control)) return minAge;
  const most = /(?:^|[\s,])max-age="?(\d{1,9})/.exec(control);
  return Math.max(minAge, Math.min((most ? Number(most[1]) : defaultAge) - (Number(headers.get("Age")) || 0), maxAge));
}
