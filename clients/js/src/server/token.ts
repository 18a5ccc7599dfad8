import type { RefusalCode } from "./errors.js";
import { TokenError } from "./errors.js";
import { marksOf, type Marks } from "./facts.js";
import { decode, isDate, isStrings, readHeader, readObject } from "./json.js";
import { isAlgorithm, type Algorithm, type Key } from "./keys.js";

/** The claims of an access token (RFC 9068 §2.2) and what else its issuer put there. */
export interface Claims {
  readonly iss: string;
  readonly aud: string | readonly string[];
  readonly exp: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly sub?: string;
  readonly jti?: string;
  readonly sid?: string;
  readonly client_id?: string;
  readonly scope?: string;
  readonly roles?: readonly string[];
  readonly auth_time?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly [name: string]: unknown;
}

/** A verified token. Requests that send the same one share it, so it is frozen. */
export interface Token {
  /** "sub": whose it is. */
  readonly subject: string | undefined;
  /** "sid": the session, which ends at log-out. */
  readonly session: string | undefined;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** "exp" in seconds since the epoch, without fraction. */
  readonly expiresAt: number;
  /** "auth_time" in seconds since the epoch, without fraction: when its holder logged in. A refresh does not move it. */
  readonly authTime: number | undefined;
  /** "acr": the class of the log-in, in the issuer's words. */
  readonly acr: string | undefined;
  /** "amr": how its holder logged in (RFC 8176). */
  readonly amr: readonly string[];
  readonly claims: Claims;
}

/** Where keys come from. */
export interface Keys {
  /** Answers from memory, save for an unknown id, which may wait for a fetch. Undefined: there is none. */
  find(kid: string | undefined): Key | undefined | Promise<Key | undefined>;
  trusts(key: Key): boolean;
}

/** What knows revocations. Throws a TokenError. */
export interface Revocations {
  check(marks: Marks): void;
}

export interface Policy {
  issuer: string;
  audiences: readonly string[];
  type: string;
  leeway: number; // seconds
  keys: Keys;
  algorithms?: readonly Algorithm[] | undefined;
  revocations?: Revocations | undefined;
  maxSize?: number;
  cacheBytes: number; // 0: none
  now: () => number; // milliseconds since the epoch
}

const refuse = (code: RefusalCode, reason: string, cause?: unknown) => new TokenError(code, reason, cause === undefined ? {} : { cause });

const clocks = new WeakMap<Token, { leeway: number; now: () => number }>();

/**
 * Seconds since the token's holder logged in, by its verifier's clock; undefined
 * where the token does not say it, or names a time that is further ahead than the
 * leeway: neither is a fresh log-in.
 */
export function loginAge(token: Token): number | undefined {
  const { leeway, now } = clocks.get(token) ?? { leeway: 0, now: Date.now };
  const age = token.authTime === undefined ? NaN : now() / 1000 - token.authTime;
  return age >= -leeway ? Math.max(age, 0) : undefined;
}

interface Entry {
  readonly token: Token;
  readonly key: Key;
  readonly marks: Marks;
  readonly from: number; // before it, less the leeway, the token is not valid yet
  readonly size: number;
}

/** Verifies tokens by one policy, and keeps those that were good. */
export class Checker {
  // Two generations: what was not used while the newer one filled up goes with the older one.
  #newer = new Map<string, Entry>();
  #older = new Map<string, Entry>();
  #bytes = 0;
  readonly #headers = new Map<string, Header>();

  constructor(readonly policy: Policy) {}

  async verify(compact: string): Promise<Token> {
    const held = this.#newer.get(compact) ?? this.#older.get(compact);
    if (held) {
      if (this.policy.keys.trusts(held.key)) {
        this.#admit(held);
        if (this.#older.delete(compact)) this.#keep(compact, held);
        return held.token;
      }
      this.#drop(compact);
    }
    const entry = await this.#open(compact);
    this.#admit(entry);
    if (this.policy.cacheBytes > 0) this.#keep(compact, entry);
    return entry.token;
  }

  #drop(compact: string): void {
    this.#bytes -= this.#newer.get(compact)?.size ?? 0;
    this.#newer.delete(compact);
    this.#older.delete(compact);
  }

  #keep(compact: string, entry: Entry): void {
    if (this.#newer.has(compact)) return;
    if (this.#bytes + entry.size > this.policy.cacheBytes / 2) {
      this.#older = this.#newer;
      this.#newer = new Map();
      this.#bytes = 0;
    }
    if (entry.size > this.policy.cacheBytes / 2) return;
    this.#newer.set(compact, entry);
    this.#bytes += entry.size;
  }

  async #open(compact: string): Promise<Entry> {
    const { issuer, audiences, algorithms, keys, maxSize = 16_384 } = this.policy;
    if (typeof compact !== "string" || compact.length > maxSize) throw refuse("token_malformed", "no string, or too large");
    const first = compact.indexOf("."), second = compact.indexOf(".", first + 1);
    if (first < 0 || second < 0 || compact.includes(".", second + 1)) throw refuse("token_malformed", "not three parts");
    const text = compact.slice(0, first);
    const header = this.#headers.get(text) ?? decode(text), payload = decode(compact.slice(first + 1, second)), signature = decode(compact.slice(second + 1));
    if (!header || !payload || !signature) throw refuse("token_malformed", "a part is not base64url");
    const { alg, kid, typ } = Buffer.isBuffer(header) ? parseHeader(header) : header;
    if (!isAlgorithm(alg)) throw refuse("token_invalid", "its algorithm is none that is taken here");
    // Of a custom source of keys, what it throws is not for callers.
    const found = keys.find(kid);
    const key = found instanceof Promise ? await found : found;
    if (!key) throw refuse("token_invalid", "its key is not in the key set");
    if (key.alg !== alg || (algorithms && !algorithms.includes(alg))) throw refuse("token_invalid", `its algorithm is ${alg}, which is not its key's or not taken`);
    if (!key.signed(Buffer.from(compact.slice(0, second), "latin1"), signature)) throw refuse("token_invalid", "its signature is not its key's");
    if (Buffer.isBuffer(header) && this.#headers.size < 8 && text.length < 1024) this.#headers.set(text, { alg, kid, typ });
    if (typ === undefined || mediaType(typ) !== this.policy.type) throw refuse("token_invalid", `its "typ" is not "${this.policy.type}"`);
    const claims = parseClaims(payload);
    if (claims.iss !== issuer) throw refuse("token_invalid", '"iss" is another issuer');
    const names = claims.aud === undefined ? [] : typeof claims.aud === "string" ? [claims.aud] : claims.aud;
    if (!names.some((name) => audiences.includes(name))) throw refuse("token_invalid", '"aud" is not this API');
    const scopes = (claims.scope ?? "").split(" ").filter(Boolean);
    const token: Token = { subject: claims.sub, session: claims.sid, scopes, roles: claims.roles ?? [], expiresAt: Math.floor(claims.exp), authTime: claims.auth_time === undefined ? undefined : Math.floor(claims.auth_time), acr: claims.acr, amr: claims.amr ?? [], claims: claims as Claims };
    clocks.set(token, this.policy);
    return {
      token: freeze(token),
      key,
      marks: marksOf(issuer, key.kid, claims),
      from: Math.max(Math.ceil(claims.nbf ?? 0), Math.ceil(claims.iat ?? 0)),
      size: 2048 + 2 * compact.length + 8 * payload.length,
    };
  }

  #admit({ token, from, marks }: Entry): void {
    const { leeway, now, revocations } = this.policy;
    const seconds = now() / 1000;
    if (from - seconds > leeway) throw refuse("token_invalid", `not valid yet, for ${Math.ceil(from - seconds)} seconds`);
    // "On or after" (RFC 7519 §4.1.4); the negation also refuses a clock that is no number.
    if (!(seconds - token.expiresAt < leeway)) throw refuse("token_expired", `expired ${Math.floor(seconds - token.expiresAt)} seconds ago`);
    revocations?.check(marks);
  }
}

interface Header {
  alg: string;
  kid?: string | undefined;
  typ?: string | undefined;
}

function parseHeader(bytes: Buffer): Header {
  let header;
  try {
    header = readHeader(bytes);
  } catch (e) {
    throw refuse("token_malformed", "its header " + (e as Error).message);
  }
  // RFC 7515 §4.1.11: an extension that is not understood refuses the token, and none is (RFC 7797 is one).
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64")) throw refuse("token_malformed", 'its header demands an extension ("crit", "b64")');
  const word = (name: string): string | undefined => {
    if (!Object.hasOwn(header, name)) return undefined;
    const value = header[name];
    if (typeof value !== "string" || (value === "" && name !== "alg")) throw refuse("token_malformed", `"${name}" in its header is not a string with characters in it`);
    return value;
  };
  const alg = word("alg"), kid = word("kid"), typ = word("typ");
  if (alg === undefined) throw refuse("token_malformed", 'its header has no "alg"');
  return { alg, kid, typ };
}

const filled = (value: unknown) => typeof value === "string" && value !== "";
const claimKinds: Record<string, (value: unknown) => boolean> = {
  iss: filled, sub: filled, jti: filled, sid: filled, client_id: filled,
  scope: (value) => typeof value === "string", // RFC 8693 §4.2: one string
  aud: (value) => typeof value === "string" || isStrings(value, 64), // RFC 7519 §4.1.3
  roles: (value) => isStrings(value, 512),
  acr: filled,
  amr: (value) => isStrings(value, 32),
  exp: isDate, nbf: isDate, iat: isDate, auth_time: isDate,
};

function parseClaims(bytes: Buffer): Partial<Claims> & { exp: number } {
  let claims;
  try {
    claims = readObject(bytes);
  } catch (e) {
    throw refuse("token_malformed", "what it says " + (e as Error).message);
  }
  for (const [name, isGood] of Object.entries(claimKinds))
    if (Object.hasOwn(claims, name) && !isGood(claims[name])) throw refuse("token_malformed", `"${name}" has a value of the wrong kind or size`);
  if (!Object.hasOwn(claims, "exp")) throw refuse("token_malformed", 'no "exp"');
  return claims as Partial<Claims> & { exp: number };
}

// RFC 7515 §4.1.9: case does not count, and application/ may be left out.
export const mediaType = (typ: string) => typ.replace(/[A-Z]/g, (c) => c.toLowerCase()).replace(/^application\/(?=[^/]*$)/, "");

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
