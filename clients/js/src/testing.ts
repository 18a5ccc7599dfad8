// An issuer in the test's own process: its tokens are real and are verified for
// real, without a server and without the network. Not for production: its keys
// live in memory and nobody publishes them.

import { constants, createPublicKey, generateKeyPairSync, randomBytes, randomUUID, sign, type KeyObject } from "node:crypto";
import { Facts, fact, sessionFact, subjectFact, tokenFact } from "./server/facts.js";
import { KeySet, parseKeySet, type Algorithm } from "./server/keys.js";
import { Checker } from "./server/token.js";
import { toConsole, type Log, type Verifier } from "./server/verifier.js";

export interface TestIssuerConfig {
  /** Default https://issuer.test. */
  issuer?: string;
  /** Default https://api.test. */
  audience?: string;
  /** Default ES256. */
  algorithm?: Algorithm;
  /** Milliseconds since the epoch. Default Date.now. */
  now?: () => number;
}

/** What a token is to say; undefined leaves a claim out. */
export interface TestClaims {
  sub?: string | undefined;
  aud?: string | string[] | undefined;
  roles?: string[] | undefined;
  scope?: string | undefined;
  [name: string]: unknown;
}

export interface TestIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** The public keys, as the issuer would publish them. */
  readonly jwks: { keys: object[] };
  /** A good token, for 15 minutes unless life (in seconds) says otherwise. */
  token(claims?: TestClaims, life?: number): string;
  /** A token that expired beyond any leeway. */
  expired(claims?: TestClaims): string;
  /** Ends one token. */
  revoke(token: string): void;
  /** Ends a session, by its "sid". */
  endSession(sid: string): void;
  /** Ends the subject's tokens that have no session and were issued before now. */
  endSubject(sub: string): void;
  /** Signs with a new key from now on; with the old one's tokens still good, or refused. */
  rotate(old?: "keep" | "remove"): void;
  /** Takes this issuer's tokens; for `createGuard({ verifier })`. */
  verifier(options?: { audience?: string; leeway?: number; log?: Log }): Verifier;
}

export function createTestIssuer({ issuer = "https://issuer.test", audience = "https://api.test", algorithm = "ES256", now = Date.now }: TestIssuerConfig = {}): TestIssuer {
  const facts = new Facts();
  let privateKey: KeyObject, kid: string;
  let jwks: { keys: object[] } = { keys: [] };
  let set = new KeySet([]);
  const seconds = () => Math.floor(now() / 1000);

  const rotate = (old: "keep" | "remove" = "keep") => {
    privateKey = generate(algorithm);
    kid = randomBytes(9).toString("base64url");
    const jwk = { ...createPublicKey(privateKey).export({ format: "jwk" }), use: "sig", alg: algorithm, kid };
    jwks = { keys: old === "keep" ? [...jwks.keys, jwk] : [jwk] };
    // Keys that stay are the same ones, so that what was verified by them stays so.
    set = new KeySet([...(old === "keep" ? set.keys : []), ...parseKeySet(JSON.stringify({ keys: [jwk] })).keys]);
  };
  rotate();

  const mint = (claims: TestClaims, life: number, at: number) => {
    const payload = { iss: issuer, sub: "acc_test", aud: audience, exp: at + life, iat: at, nbf: at, jti: randomUUID(), sid: randomUUID(), client_id: "app_test", ...claims };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const input = part({ alg: algorithm, typ: "at+jwt", kid }) + "." + part(payload);
    return input + "." + signature(algorithm, privateKey, Buffer.from(input)).toString("base64url");
  };

  const add = (kind: number, value: string, before = 0) => {
    const row = Buffer.alloc(24);
    fact(kind, issuer, value).forEach((word, i) => row.writeUInt32BE(word, i * 4));
    row.writeUInt32BE(before, 20);
    facts.add(row, seconds());
  };

  return {
    issuer, audience, rotate,
    get jwks() { return jwks; },
    token: (claims = {}, life = 900) => mint(claims, life, seconds()),
    expired: (claims = {}) => mint(claims, 900, seconds() - 900 - 660),
    revoke: (token) => {
      const { jti } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { jti?: string };
      if (!jti) throw new Error('a token without "jti" cannot be revoked by itself');
      add(tokenFact, jti);
    },
    endSession: (sid) => { add(sessionFact, sid); },
    endSubject: (sub) => { add(subjectFact, sub, Math.max(1, seconds())); },
    verifier: ({ audience: name = audience, leeway = 30, log = toConsole } = {}) => {
      const keys = { find: (id: string | undefined) => set.find(id), trusts: (key: Parameters<KeySet["trusts"]>[0]) => set.trusts(key) };
      const checker = new Checker({ issuer, audiences: [name], type: "at+jwt", leeway, keys, revocations: facts, cacheBytes: 8 << 20, now });
      return { audience: name, log, verify: (compact) => checker.verify(compact), ready: () => Promise.resolve(), feedAge: () => 0, close: () => undefined };
    },
  };
}

function generate(alg: Algorithm): KeyObject {
  switch (alg) {
    case "ES256": return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    case "ES384": return generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    case "ES512": return generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey;
    case "EdDSA": case "Ed25519": return generateKeyPairSync("ed25519").privateKey;
    default: return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  }
}

function signature(alg: Algorithm, key: KeyObject, data: Buffer): Buffer {
  const hash = alg.startsWith("Ed") ? null : "sha" + alg.slice(2);
  if (alg.startsWith("ES")) return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
  if (alg.startsWith("PS")) return sign(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
  return sign(hash, data, key);
}
