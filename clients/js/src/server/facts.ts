import { createHash } from "node:crypto";
import { TokenError } from "./errors.js";

// What can be revoked, as docs/revocation.md numbers it.
export const sessionFact = 1, tokenFact = 2, keyFact = 3, subjectFact = 4;

/** The hash by which the feed names something of an issuer, as four words. */
export function fact(kind: number, issuer: string, value: string): Uint32Array {
  const who = Buffer.from(issuer), what = Buffer.from(value);
  const head = Buffer.from([0, 0, 0, 1, kind, 0, 0, 0, 0]), middle = Buffer.alloc(4);
  head.writeUInt32BE(who.length, 5);
  middle.writeUInt32BE(what.length);
  const sum = createHash("sha256").update(head).update(who).update(middle).update(what).digest();
  return Uint32Array.of(sum.readUInt32BE(0), sum.readUInt32BE(4), sum.readUInt32BE(8), sum.readUInt32BE(12));
}

/** What a token could be revoked by. */
export interface Marks {
  readonly facts: readonly { readonly fact: Uint32Array; readonly said: string }[];
  readonly issuedAt: number;
}

export function marksOf(issuer: string, kid: string, claims: { sid?: unknown; jti?: unknown; sub?: unknown; iat?: unknown }): Marks {
  const facts = [{ fact: fact(keyFact, issuer, kid), said: "its key has been revoked" }];
  const add = (kind: number, value: unknown, said: string) => {
    if (typeof value === "string") facts.push({ fact: fact(kind, issuer, value), said });
  };
  add(sessionFact, claims.sid, "its session has ended");
  add(tokenFact, claims.jti, "the token has been ended");
  // A session ends by its own fact, so that a change of password can spare the
  // session that made it.
  if (claims.sid === undefined) add(subjectFact, claims.sub, "its subject's tokens have been ended");
  return { facts, issuedAt: typeof claims.iat === "number" ? Math.floor(claims.iat) : -1 };
}

const width = 6; // words of a row: the fact, when it expires, before which time of issue it holds; 0: never, always
const rowBytes = 24;

/**
 * Facts that stand, in one table of 24-byte rows with open addressing: a million
 * are 40 MB outside of the heap that is collected, where a Set of strings, still
 * without the times, takes 63 MB in it.
 */
export class Facts {
  #rows = new Uint32Array(width * 64);
  #size = 0;
  #pruned = 0;
  constructor(readonly max = 1 << 20) {}

  get size(): number {
    return this.#size;
  }

  /** Throws if one of them is revoked. */
  check({ facts, issuedAt }: Marks): void {
    for (const { fact, said } of facts) {
      const at = this.#place(this.#rows, fact, 0);
      if (!this.#used(at)) continue;
      const before = this.#rows[at + 5] ?? 0;
      if (before === 0 || issuedAt < before) throw new TokenError("token_revoked", said);
    }
  }

  /** Adds rows as a document has them, all or, when they do not fit beside what stands at now (in seconds), none. */
  add(rows: Buffer, now: number): boolean {
    const words = new Uint32Array(rows.length / 4);
    for (let i = 0; i < words.length; i++) words[i] = rows.readUInt32BE(i * 4);
    if (Math.abs(now - this.#pruned) >= 60) this.#resize(0, now); // and once a minute what expired is dropped
    const more = rows.length / rowBytes;
    if (this.#size + more > this.max) {
      this.#resize(0, now);
      let fresh = 0;
      for (let i = 0; i < words.length; i += width) if (!this.#used(this.#place(this.#rows, words, i))) fresh++;
      if (this.#size + fresh > this.max) return false;
    }
    this.#resize(more);
    for (let i = 0; i < words.length; i += width) this.#put(this.#rows, words, i);
    return true;
  }

  // resize makes room for more rows at a load of three quarters, and with a time
  // leaves out what has expired by then.
  #resize(more: number, now?: number): void {
    const old = this.#rows;
    const has = old.length / width;
    if (now === undefined) {
      if ((this.#size + more) * 4 <= has * 3) return;
    } else {
      this.#pruned = now;
      let expired = 0;
      for (let i = 0; i < old.length; i += width) if (this.#used(i) && isPast(old[i + 4] ?? 0, now)) expired++;
      if (expired === 0) return;
    }
    this.#rows = new Uint32Array(width * Math.max(64, Math.ceil((this.#size + more) * 1.34), more > 0 ? Math.ceil(has * 1.5) : 0));
    this.#size = 0;
    for (let i = 0; i < old.length; i += width)
      if ((old[i] ?? 0) | (old[i + 1] ?? 0) && !(now !== undefined && isPast(old[i + 4] ?? 0, now))) this.#put(this.#rows, old, i);
  }

  #put(rows: Uint32Array, from: Uint32Array, i: number): void {
    const at = this.#place(rows, from, i);
    const expires = from[i + 4] ?? 0, before = from[i + 5] ?? 0;
    if (this.#used(at)) {
      rows[at + 4] = stricter(rows[at + 4] ?? 0, expires);
      rows[at + 5] = stricter(rows[at + 5] ?? 0, before);
      return;
    }
    for (let j = 0; j < width; j++) rows[at + j] = from[i + j] ?? 0;
    this.#size++;
  }

  // A place is free where the first half of the fact is zero, which no hash is.
  #used(at: number): boolean {
    return ((this.#rows[at] ?? 0) | (this.#rows[at + 1] ?? 0)) !== 0;
  }

  // place is where the fact of from[i…] is, or would be. Facts are hashes, so
  // their first word spreads them.
  #place(rows: Uint32Array, from: Uint32Array, i: number): number {
    const count = rows.length / width;
    let n = Math.floor(((from[i] ?? 0) / 2 ** 32) * count);
    for (; ; n = n + 1 === count ? 0 : n + 1) {
      const at = n * width;
      if (((rows[at] ?? 0) | (rows[at + 1] ?? 0)) === 0) return at;
      if (rows[at] === from[i] && rows[at + 1] === from[i + 1] && rows[at + 2] === from[i + 2] && rows[at + 3] === from[i + 3]) return at;
    }
  }
}

const isPast = (expires: number, now: number) => expires !== 0 && expires <= now;

// Of two versions of a fact the later time is the stricter one, and none at all, 0, is stricter than any.
const stricter = (a: number, b: number) => (a === 0 || b === 0 ? 0 : Math.max(a, b));
