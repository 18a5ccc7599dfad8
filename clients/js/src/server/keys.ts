import { constants, createHash, createPublicKey, verify, type KeyObject } from "node:crypto";
import { decode, isObject, isStrings, readObject } from "./json.js";

/** The algorithms of access tokens. Secrets (HS256 …) are none of them: every verifier could sign. */
export type Algorithm =
  | "ES256" | "ES384" | "ES512" | "EdDSA" | "Ed25519" | "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512";

interface Kind {
  kty: string;
  crv?: string;
  hash: string | null;
  /** Bytes of a coordinate, of the two halves of an ECDSA signature, of an Ed25519 key. */
  size?: number;
  pss?: true;
}

const rsa = (hash: string): Kind => ({ kty: "RSA", hash });
const pss = (hash: string): Kind => ({ kty: "RSA", hash, pss: true });
const ed: Kind = { kty: "OKP", crv: "Ed25519", hash: null, size: 32 };
const kinds = new Map<string, Kind>([
  ["ES256", { kty: "EC", crv: "P-256", hash: "sha256", size: 32 }],
  ["ES384", { kty: "EC", crv: "P-384", hash: "sha384", size: 48 }],
  ["ES512", { kty: "EC", crv: "P-521", hash: "sha512", size: 66 }],
  ["EdDSA", ed], ["Ed25519", ed],
  ["RS256", rsa("sha256")], ["RS384", rsa("sha384")], ["RS512", rsa("sha512")],
  ["PS256", pss("sha256")], ["PS384", pss("sha384")], ["PS512", pss("sha512")],
]);

export const isAlgorithm = (name: unknown): name is Algorithm => typeof name === "string" && kinds.has(name);

/** A public key, which is for one algorithm. */
export class Key {
  readonly #kind: Kind;
  readonly #object: KeyObject;
  readonly #length: number;

  constructor(
    readonly kid: string,
    readonly alg: Algorithm,
    kind: Kind,
    object: KeyObject,
    /** Its thumbprint (RFC 7638), to tell whether a key that is answered again is the same. */
    readonly thumbprint: string,
  ) {
    this.#kind = kind;
    this.#object = object;
    this.#length = kind.kty === "RSA" ? Math.ceil((object.asymmetricKeyDetails?.modulusLength ?? 0) / 8) : 2 * (kind.size ?? 0);
  }

  /** Whether the signature of data is this key's (RFC 7518 §3, RFC 8037 §3.1). */
  signed(data: Uint8Array, signature: Uint8Array): boolean {
    if (signature.length !== this.#length) return false;
    const { kty, hash, pss } = this.#kind;
    return verify(hash, data, {
      key: this.#object,
      ...(kty === "EC" && { dsaEncoding: "ieee-p1363" as const }),
      ...(kty === "RSA" && (pss
        ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
        : { padding: constants.RSA_PKCS1_PADDING })),
    }, signature);
  }
}

/** A JWK Set (RFC 7517 §5): immutable, at most 100 keys. */
export class KeySet {
  readonly #byId = new Map<string, Key>();

  constructor(readonly keys: readonly Key[]) {
    for (const key of keys) {
      if (this.#byId.has(key.kid)) throw new Error("two keys of the set have one key id");
      this.#byId.set(key.kid, key);
    }
  }

  /** Without a key id: the only key of a set of one, so that no sender chooses by trial. */
  find(kid: string | undefined): Key | undefined {
    return kid === undefined ? (this.keys.length === 1 ? this.keys[0] : undefined) : this.#byId.get(kid);
  }

  /** Whether this very key is in the set, not only one that equals it. */
  trusts(key: Key): boolean {
    return this.#byId.get(key.kid) === key;
  }
}

export const maxSet = 256 << 10;
const maxKeys = 100;

/**
 * Reads a set of public keys. Keys of an unknown type, curve or algorithm, keys
 * that are not for signatures and RSA keys without "alg" are skipped; a private
 * key, a secret, a malformed or weak key or one key id twice refuses the set.
 */
export function parseKeySet(text: Uint8Array | string): KeySet {
  if (text.length > maxSet) throw new Error("key set: too large");
  let set;
  try {
    set = readObject(text);
  } catch (e) {
    throw new Error("key set " + (e as Error).message, { cause: e });
  }
  if (!Array.isArray(set.keys)) throw new Error('key set: no array "keys"');
  if (set.keys.length > maxKeys) throw new Error("key set: more than 100 keys");
  const keys: Key[] = [];
  for (const jwk of set.keys as unknown[]) {
    const key = readKey(jwk);
    if (key) keys.push(key);
  }
  return new KeySet(keys);
}

const words = ["kty", "use", "kid", "alg", "crv", "x", "y", "n", "e", "k", "d", "p", "q", "dp", "dq", "qi"];
const secrets = ["k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
const byCurve: Record<string, Algorithm> = { "EC P-256": "ES256", "EC P-384": "ES384", "EC P-521": "ES512", "OKP Ed25519": "EdDSA" };

// readKey returns undefined for a key that is not for us.
function readKey(value: unknown): Key | undefined {
  if (!isObject(value)) throw new Error("key set: a key is no object");
  const jwk = value as Partial<Record<string, string>>;
  for (const name of words) if (Object.hasOwn(jwk, name) && typeof jwk[name] !== "string") throw new Error(`key set: "${name}" is not a string`);
  if (!jwk.kty) throw new Error('key set: a key without "kty"');
  if (jwk.kid === "" || (jwk.kid?.length ?? 0) > 1024) throw new Error('key set: "kid" is empty or too long');
  if (jwk.kty === "oct" || secrets.some((name) => Object.hasOwn(jwk, name))) throw new Error("key set: a private or secret key, which must not be handed around");
  const operations: unknown = value.key_ops;
  if (operations !== undefined && (!isStrings(operations, 16) || new Set(operations).size !== operations.length)) throw new Error('key set: "key_ops"');
  if ((jwk.use ?? "sig") !== "sig" || (operations && !operations.includes("verify"))) return undefined; // RFC 7517 §4.2, §4.3
  const alg = jwk.alg ?? byCurve[`${jwk.kty} ${jwk.crv}`];
  const kind = kinds.get(alg ?? "");
  if (!kind) return undefined;
  if (jwk.kty !== kind.kty || jwk.crv !== kind.crv) throw new Error(`key set: a key whose "alg" ${alg} contradicts its type or curve`);
  const thumbprint = check(jwk, kind);
  try {
    return new Key(jwk.kid ?? thumbprint, alg as Algorithm, kind, createPublicKey({ key: { ...jwk }, format: "jwk" }), thumbprint);
  } catch (e) {
    throw new Error(`key set: ${alg} key that is none`, { cause: e });
  }
}

// check looks at the key's numbers and returns its thumbprint (RFC 7638 §3.2).
function check(jwk: Partial<Record<string, string>>, kind: Kind): string {
  const { kty, crv, x, y, n, e } = jwk;
  let text;
  if (kty === "RSA") {
    const modulus = decode(n ?? "");
    if (!modulus?.[0] || modulus.length < 256 || modulus.length > 1024) throw new Error("key set: RSA modulus must have 2048 to 8192 bits");
    if (modulus.length === 256 && modulus[0] < 0x80) throw new Error("key set: RSA modulus must have 2048 to 8192 bits");
    // Small exponents forgive careless padding; every issuer uses this one.
    if (e !== "AQAB") throw new Error("key set: RSA exponent must be 65537");
    text = { e, kty, n };
  } else {
    for (const c of kty === "EC" ? [x, y] : [x])
      if (decode(c ?? "")?.length !== kind.size) throw new Error("key set: a coordinate of the wrong length");
    text = kty === "EC" ? { crv, kty, x, y } : { crv, kty, x };
  }
  return createHash("sha256").update(JSON.stringify(text)).digest("base64url");
}
