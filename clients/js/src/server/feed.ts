import { TokenError } from "./errors.js";
import { Facts, type Marks } from "./facts.js";
import { get, pause, spread, StatusError, steady } from "./fetch.js";
import { decode } from "./json.js";
import { Checker, type Claims, type Keys, type Revocations } from "./token.js";

const maxDocument = 64 << 20;
const maxWait = 25, slack = 20; // seconds: the question's wait, and what its answer may take beyond
const maxDrift = 2; // the issuer's nodes may be apart by this much
const minBackOff = 0.1, maxBackOff = 2, minPace = 0.25;
const maxRetryAfter = 15; // beyond, tokens that were revoked long since would pass

export interface FeedConfig {
  url: string;
  issuer: string;
  keys: Keys;
  leeway: number;
  maxStale: number;
  maxFacts: number | undefined;
  failOpen: boolean;
  now: () => number;
  send: typeof fetch;
  signal: AbortSignal;
  log: (level: "info" | "warn", message: string, details: Record<string, unknown>) => void;
}

interface Document {
  epoch: string;
  from: number;
  to: number;
  snapshot: boolean;
  more: boolean;
  issuedAt: number;
  rows: Buffer;
}

/** Keeps up with an issuer's feed of revocations (docs/revocation.md) by long polls. */
export class Follower implements Revocations {
  readonly #facts: Facts;
  readonly #checker: Checker;
  #at: { epoch: string; position: number } | undefined;
  #seen: number | undefined; // when the feed was last confirmed
  #newest = 0; // the latest time of issue that was accepted
  #full = false;
  #resync = false;
  #known: { epoch: string; position: number } | undefined; // how far the feed was known to the end
  #failed = 0; // in a row
  #error: unknown;
  #loaded!: () => void;
  /** Resolves once all that stood in the feed at first is known. */
  readonly ready = new Promise<void>((resolve) => { this.#loaded = resolve; });

  constructor(private readonly c: FeedConfig) {
    this.#facts = new Facts(c.maxFacts);
    this.#checker = new Checker({
      issuer: c.issuer, audiences: [c.issuer], type: "revocations+jwt", keys: c.keys, leeway: c.leeway,
      maxSize: maxDocument, cacheBytes: 0, now: c.now,
      revocations: this.#facts, // the feed can say that one of its own keys is revoked
    });
  }

  get size(): number {
    return this.#facts.size;
  }

  /** Why the latest try failed, if it did. */
  get error(): unknown {
    return this.#error;
  }

  /** Seconds since the feed was last confirmed; undefined: never. */
  get age(): number | undefined {
    return this.#seen === undefined ? undefined : steady() - this.#seen;
  }

  check(marks: Marks): void {
    this.#facts.check(marks);
    if (this.#full) throw new TokenError("revocation_unavailable", `the set of ${this.#facts.max} facts is full, raise maxFacts`);
    if (this.c.failOpen) return;
    const age = this.age;
    if (age === undefined) throw new TokenError("revocation_unavailable", "the feed of revocations has not been read yet");
    if (age > this.c.maxStale) throw new TokenError("revocation_unavailable", `the feed of revocations was last confirmed ${Math.round(age)} s ago`);
  }

  /** Follows until the signal is aborted. */
  async run(): Promise<void> {
    const { signal, log, url } = this.c;
    while (!signal.aborted) {
      const began = steady();
      let rest = 0;
      try {
        const moved = await this.#poll();
        if (this.#failed > 0) log("info", "following revocations again", { url, facts: this.size });
        this.#failed = 0;
        this.#error = undefined;
        if (!moved) rest = minPace - (steady() - began);
      } catch (error) {
        if (signal.aborted as boolean) return;
        this.#error = error;
        this.#failed++;
        if ((this.#failed & (this.#failed - 1)) === 0) // ever more rarely, not to fill the log
          log("warn", "following revocations failed", { url, error: (error as Error).message, age: this.age, tries: this.#failed });
        rest = spread(Math.min(minBackOff * 2 ** Math.min(this.#failed, 8), maxBackOff));
        if (error instanceof StatusError) rest += Math.min(error.retryAfter, maxRetryAfter, this.c.maxStale / 4);
      }
      if (rest > 0) await pause(rest, signal);
    }
  }

  // poll asks once and applies the answer. It tells whether there was news.
  async #poll(): Promise<boolean> {
    const { url, send, signal, maxStale } = this.c;
    const asked = this.#resync ? undefined : this.#at;
    // After a failure the first answer must not wait for news: it confirms that there is none.
    const wait = asked && this.#failed === 0 ? Math.floor(Math.min(maxWait, maxStale / 2)) : 0;
    const sent = steady();
    const { body } = await get(send, asked ? `${url}?after=${asked.epoch}.${asked.position}&wait=${wait}` : url,
      ["application/revocations+jwt"], { maxSize: maxDocument, timeout: wait + slack, signal });
    let document;
    try {
      document = parse((await this.#checker.verify(body.toString("latin1"))).claims);
    } catch (cause) {
      throw new Error("feed refused: " + (cause as Error).message, { cause });
    }
    // The answer speaks of a moment between the question and the end of the wait.
    // What it took beyond that, it was held up, and news may have come since.
    return this.#apply(document, asked !== undefined, Math.min(sent + wait, steady()));
  }

  // apply decides whether a genuine document, which speaks of that moment, may
  // change what is known.
  #apply(d: Document, delta: boolean, spoken: number): boolean {
    const at = this.#at;
    // Any signature stays good for a while, so a copy of an old answer must not
    // be taken for news of today.
    if (d.issuedAt < this.#newest - maxDrift) throw new Error("feed refused: issued before one that was accepted");
    if (!d.snapshot && !delta) throw new Error("feed refused: a delta was answered where a snapshot was asked for");
    if (!d.snapshot && (d.epoch !== at?.epoch || d.from !== at.position)) {
      this.#resync = true;
      return true;
    }
    if (!d.more && d.epoch === this.#known?.epoch && d.to < this.#known.position) {
      // A store that was restored from a copy counts its positions again from
      // there, and what it says at one that is known already would be missed.
      this.#resync = true;
      throw new Error("feed refused: it ends before what is known: the issuer's store is behind");
    }
    // Facts are only ever added: within an epoch a snapshot holds all that stands,
    // and across epochs what was known keeps standing. A fact ends when tokens do
    // by the issuer's clock; by this one, which may be behind, they end later.
    if (!this.#facts.add(d.rows, d.issuedAt - this.c.leeway)) {
      this.#full = true;
      throw new Error(`the set of ${this.#facts.max} facts is full, raise maxFacts`);
    }
    const moved = d.epoch !== at?.epoch || d.to !== at.position;
    this.#full = this.#resync = false;
    this.#at = { epoch: d.epoch, position: d.to };
    // A part of the feed does not confirm what its other parts say.
    if (!d.more && (moved || d.issuedAt > this.#newest)) this.#seen = spoken;
    this.#newest = Math.max(this.#newest, d.issuedAt);
    if (!d.more) {
      this.#known = this.#at;
      this.#loaded();
    }
    return moved;
  }
}

const isPosition = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parse({ epoch, from, to, snapshot, more = false, facts, iat = 0 }: Claims): Document {
  const rows = typeof facts === "string" ? decode(facts) : undefined;
  if (!rows || rows.length % 24 !== 0) throw new Error("malformed facts");
  if (typeof epoch !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(epoch)) throw new Error("malformed epoch");
  if (!isPosition(from) || !isPosition(to) || from > to) throw new Error("malformed position");
  if (typeof snapshot !== "boolean" || typeof more !== "boolean") throw new Error("malformed document");
  if (snapshot && from !== 0) throw new Error("a snapshot that does not begin at 0");
  if (!snapshot && from === to && (more || rows.length > 0)) throw new Error("news without a position of their own");
  return { epoch, from, to, snapshot, more, issuedAt: Math.floor(iat), rows };
}
