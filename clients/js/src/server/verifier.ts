import { TokenError } from "./errors.js";
import { Follower } from "./feed.js";
import { checkUrl, get, pause, spread } from "./fetch.js";
import { readObject } from "./json.js";
import { RemoteKeys } from "./jwks.js";
import { isAlgorithm, type Algorithm } from "./keys.js";
import { Checker, type Token } from "./token.js";

export type Log = (level: "info" | "warn", message: string, details: Record<string, unknown>) => void;

export interface VerifierConfig {
  /** Whose tokens to take: https, or http on loopback, spelled as its metadata does. */
  issuer: string;
  /** This API's name, or several: a token must be for one of them. */
  audience: string | readonly string[];
  /** The only algorithms of the issuer's keys that count. The algorithm is the key's in any case. */
  algorithms?: readonly Algorithm[];
  /** Seconds by which clocks may differ. Default 30, at most 600. */
  leeway?: number;
  /** Seconds to go on without the feed of revocations. Default 60, at least 2. */
  maxStale?: number;
  /** Revocations to keep at most. Default 1,048,576, which are up to 48 MB. */
  maxFacts?: number;
  /** Bytes for tokens that were verified. Default 8 MiB; 0: none are kept. */
  cacheBytes?: number;
  /** Milliseconds since the epoch. Default Date.now. */
  now?: () => number;
  fetch?: typeof fetch;
  /** Closes the verifier when it is aborted. */
  signal?: AbortSignal;
  /** Default: the console. It is never given any part of a token. */
  log?: Log;
  /** For issuers without a feed: tokens live until they expire, whatever happens. */
  dangerouslyIgnoreRevocation?: boolean;
  /** Tokens live until they expire while the feed cannot be read. */
  dangerouslyFailOpen?: boolean;
}

/** Verifies access tokens. */
export interface Verifier {
  /** The API's first name, which challenges say. */
  readonly audience: string;
  /** Returns the token, or throws a TokenError. */
  verify(compact: string): Promise<Token>;
  /** Resolves once keys and revocations are there; rejects for what waiting cannot mend, and when the signal is aborted. */
  ready(signal?: AbortSignal): Promise<void>;
  /** Seconds since the feed was last confirmed, for metrics; undefined: never, or there is none. */
  feedAge(): number | undefined;
  /** Ends timers and polls. What is known decides until it is stale. */
  close(): void;
  readonly log: Log;
}

// eslint-disable-next-line no-console -- what a server's log is unless it says otherwise
export const toConsole: Log = (level, message, details) => { console[level](message, details); };

/** A fault of the configuration, or of what the issuer says, that trying again does not mend. */
class Fault extends Error {}

/**
 * Verifies an issuer's access tokens. It connects by itself and follows keys and
 * revocations until close(); until it has both, tokens are refused as
 * keys_unavailable (503). `await verifier.ready()` waits for that.
 */
export function createVerifier(config: VerifierConfig): Verifier {
  return new Connected(config);
}

class Connected implements Verifier {
  readonly audience: string;
  readonly log: Log;
  readonly #c: ReturnType<typeof check>;
  readonly #end = new AbortController();
  #checker: Checker | undefined;
  #follower: Follower | undefined;
  #stuck: unknown = new Error("no answer came yet");
  readonly #connected: Promise<void>;

  constructor(config: VerifierConfig) {
    this.#c = check(config);
    this.audience = this.#c.audiences[0] ?? "";
    this.log = this.#c.log;
    const { signal } = config;
    if (signal?.aborted) this.close();
    signal?.addEventListener("abort", () => { this.close(); }, { once: true, signal: this.#end.signal });
    this.#connected = this.#connect();
    this.#connected.catch((e: unknown) => {
      this.#stuck = e;
      if (!this.#end.signal.aborted) this.log("warn", "the verifier cannot connect to its issuer", { error: (e as Error).message });
    });
  }

  async verify(compact: string): Promise<Token> {
    if (!this.#checker) throw new TokenError("keys_unavailable", "not connected to the issuer yet", { cause: this.#stuck });
    return this.#checker.verify(compact);
  }

  async ready(signal?: AbortSignal): Promise<void> {
    if (!signal) return this.#connected;
    let stop!: () => void;
    const aborted = new Promise<never>((_, reject) => {
      stop = () => { reject(new Error("the verifier was not ready in time", { cause: this.#follower?.error ?? this.#stuck })); };
      signal.addEventListener("abort", stop);
      if (signal.aborted) stop();
    });
    return Promise.race([this.#connected, aborted]).finally(() => { signal.removeEventListener("abort", stop); });
  }

  feedAge(): number | undefined {
    return this.#follower?.age;
  }

  close(): void {
    this.#end.abort();
  }

  async #connect(): Promise<void> {
    const { issuer, audiences, algorithms, leeway, maxStale, maxFacts, cacheBytes, now, send, ignoreRevocation, failOpen } = this.#c;
    const { signal } = this.#end;
    const warn = (message: string, error: unknown) => { this.log("warn", message, { issuer, error: (error as Error).message }); };
    const metadata = await this.#retry("metadata", () => discover(send, issuer, signal));
    const load = async (what: string, url: string | undefined) => {
      if (!url) throw new Fault(`the issuer publishes no ${what}`);
      const keys = new RemoteKeys(url, send, signal, warn);
      await this.#retry(what, () => keys.refresh());
      return keys;
    };
    const keys = await load("keys", metadata.jwks_uri);
    const policy = { issuer, audiences, type: "at+jwt", leeway, keys, algorithms, cacheBytes, now };
    if (ignoreRevocation) {
      this.#checker = new Checker(policy);
      return;
    }
    const url = metadata.jotsmith_revocations_uri;
    if (!url) throw new Fault("the issuer publishes no feed of revocations: its tokens cannot be revoked before they expire; to accept that, set dangerouslyIgnoreRevocation");
    const feedKeys = await load("keys of the feed", metadata.jotsmith_revocations_jwks_uri);
    const follower = new Follower({ url, issuer, keys: feedKeys, leeway, maxStale, maxFacts, failOpen, now, send, signal, log: this.log });
    this.#follower = follower;
    const checker = new Checker({ ...policy, revocations: follower });
    if (failOpen) this.#checker = checker;
    void follower.run();
    await Promise.race([follower.ready, new Promise<void>((resolve) => { signal.addEventListener("abort", () => { resolve(); }); })]);
    if (signal.aborted) throw new Fault("closed");
    this.#checker = checker;
  }

  // retry does one step of connecting until it succeeds.
  async #retry<T>(what: string, step: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await step();
      } catch (e) {
        if (e instanceof Fault) throw e;
        if (this.#end.signal.aborted) throw new Fault("closed", { cause: e });
        this.#stuck = new Error(`${what}: ${(e as Error).message}`, { cause: e });
        if ((tries & (tries - 1)) === 0) // ever more rarely, not to fill the log
          this.log("warn", "the verifier is not connected to its issuer yet", { issuer: this.#c.issuer, error: (this.#stuck as Error).message, tries });
      }
      await pause(spread(Math.min(0.1 * 2 ** Math.min(tries, 10), 5)), this.#end.signal);
    }
  }
}

interface Metadata {
  jwks_uri?: string;
  jotsmith_revocations_uri?: string;
  jotsmith_revocations_jwks_uri?: string;
}

// discover reads what the issuer says of itself (RFC 8414 §3). It must be the
// issuer itself that says it, and lead nowhere else.
async function discover(send: typeof fetch, issuer: string, signal: AbortSignal): Promise<Metadata> {
  const { origin, pathname } = new URL(issuer);
  const url = origin + "/.well-known/oauth-authorization-server" + pathname.replace(/\/$/, "");
  const { body } = await get(send, url, ["application/json"], { maxSize: 256 << 10, timeout: 10, signal });
  const metadata = readObject(body);
  if (metadata.issuer !== issuer) throw new Fault(`${url} names the issuer ${JSON.stringify(metadata.issuer)}, configured is ${JSON.stringify(issuer)}: they must be equal byte for byte`);
  for (const name of ["jwks_uri", "jotsmith_revocations_uri", "jotsmith_revocations_jwks_uri"])
    if (metadata[name] !== undefined && (typeof metadata[name] !== "string" || checkUrl(metadata[name]).origin !== origin))
      throw new Fault(`${url}: ${name} is at another origin than the issuer`);
  return metadata;
}

const known = ["issuer", "audience", "algorithms", "leeway", "maxStale", "maxFacts", "cacheBytes", "now", "fetch", "signal", "log", "dangerouslyIgnoreRevocation", "dangerouslyFailOpen"];

function check(config: VerifierConfig) {
  const { issuer, audience, algorithms, leeway = 30, maxStale = 60, maxFacts, cacheBytes = 8 << 20, now = Date.now } = config;
  const { dangerouslyIgnoreRevocation: ignoreRevocation = false, dangerouslyFailOpen: failOpen = false, log = toConsole } = config;
  const send = config.fetch ?? ((...args: Parameters<typeof fetch>) => fetch(...args));
  const faults = Object.keys(config).filter((name) => !known.includes(name)).map((name) => `${name} is unknown`);
  const between = (name: string, value: unknown, least: number, most: number) => {
    if (typeof value !== "number" || !(value >= least && value <= most)) faults.push(`${name} is not between ${least} and ${most}`);
  };
  try {
    checkUrl(issuer);
  } catch (e) {
    faults.push("issuer " + (e as Error).message);
  }
  // It stands in challenges, where nothing else would need escaping.
  const audiences = typeof audience === "string" ? [audience] : Array.isArray(audience) ? [...(audience as string[])] : [];
  if (audiences.length === 0 || !audiences.every((name) => typeof name === "string" && /^[!#-[\]-~]+$/.test(name)))
    faults.push("audience must be this API's name, a URI such as https://tasks.example.com: without it, tokens for other APIs would be accepted");
  if (algorithms && (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(isAlgorithm))) faults.push("algorithms holds what is none for public keys");
  between("leeway", leeway, 0, 600);
  between("maxStale", maxStale, 2, 86_400);
  between("cacheBytes", cacheBytes, 0, 2 ** 40);
  if (maxFacts !== undefined) between("maxFacts", maxFacts, 1, 2 ** 26);
  if (ignoreRevocation && failOpen) faults.push("dangerouslyIgnoreRevocation leaves no feed for dangerouslyFailOpen to speak of");
  if (faults.length > 0) throw new Error("jotsmith verifier: " + faults.join("; "));
  return { issuer, audiences, algorithms, leeway, maxStale, maxFacts, cacheBytes, now, send, log, ignoreRevocation, failOpen };
}
