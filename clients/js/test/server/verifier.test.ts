import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { compileRule, createVerifier, refusal, TokenError, type VerifierConfig } from "../../src/server.js";
import { Facts, fact, sessionFact } from "../../src/server/facts.js";
import { RemoteKeys } from "../../src/server/jwks.js";
import { parseKeySet } from "../../src/server/keys.js";
import { Checker } from "../../src/server/token.js";
import { createTestIssuer } from "../../src/testing.js";

const name = "https://issuer.test";

const publicJwk = (key: KeyObject, kid: string) => {
  const { kty, crv, x, y } = key.export({ format: "jwk" });
  return { kty, crv, x, y, use: "sig", alg: "ES256", kid };
};

const row = (kind: number, value: string) => {
  const b = Buffer.alloc(24);
  fact(kind, name, value).forEach((word, i) => b.writeUInt32BE(word, i * 4));
  return b;
};

/** An issuer behind a fetch of its own: metadata, keys, and a feed that waits as the server's does. */
function network() {
  const tokens = createTestIssuer({ issuer: name });
  const feed = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const state = {
    tokens, asked: [] as string[], down: false, position: 1, rows: [Buffer.alloc(0)],
    metadata: {
      issuer: name, jwks_uri: name + "/jwks", jotsmith_revocations_uri: name + "/feed", jotsmith_revocations_jwks_uri: name + "/feed-keys",
    } as Record<string, string>,
    headers: {} as Record<string, string>,
    news: (): void => undefined,
    revoke(kind: number, value: string) {
      state.rows.push(row(kind, value));
      state.position++;
      state.news();
    },
    send: async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const { pathname, searchParams } = new URL(url as string);
      state.asked.push(pathname);
      if (state.down) throw new TypeError("fetch failed");
      const json = (value: object) => new Response(JSON.stringify(value), { headers: { "Content-Type": "application/json", ...state.headers } });
      switch (pathname) {
        case "/.well-known/oauth-authorization-server": return json(state.metadata);
        case "/jwks":
          if (state.headers.ETag && new Headers(init?.headers).get("If-None-Match") === state.headers.ETag) return new Response(null, { status: 304 });
          return json(state.tokens.jwks);
        case "/feed-keys": return json({ keys: [publicJwk(feed.publicKey, "feed")] });
        case "/feed": {
          const after = searchParams.get("after");
          const from = after ? Number(after.split(".")[1]) : 0;
          if (after && from === state.position && searchParams.get("wait") !== "0")
            await new Promise<void>((resolve, reject) => {
              state.news = resolve;
              setTimeout(resolve, Number(searchParams.get("wait")) * 1000).unref();
              init?.signal?.addEventListener("abort", () => { reject(new Error("aborted")); });
            });
          const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
          const at = Math.floor(Date.now() / 1000);
          const input = part({ alg: "ES256", typ: "revocations+jwt", kid: "feed" }) + "." + part({
            iss: name, aud: name, iat: at, exp: at + 60, epoch: "e", from, to: state.position, snapshot: !after, facts: Buffer.concat(state.rows.slice(from)).toString("base64url"),
          });
          const signature = sign("sha256", Buffer.from(input), { key: feed.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url");
          return new Response(input + "." + signature, { headers: { "Content-Type": "application/revocations+jwt" } });
        }
        default: return new Response(null, { status: 404 });
      }
    },
  };
  return state;
}

const open: { close(): void }[] = [];
const verifierOf = (net: ReturnType<typeof network>, config: Partial<VerifierConfig> = {}) => {
  const v = createVerifier({ issuer: name, audience: net.tokens.audience, fetch: net.send, log: () => undefined, ...config });
  open.push(v);
  return v;
};
const codeOf = (promise: Promise<unknown>) => promise.then(() => "ok", (e: unknown) => (e as TokenError).code);

afterEach(() => {
  for (const v of open.splice(0)) v.close();
  vi.useRealTimers();
});

describe("verifier", () => {
  it("refuses until it is connected, verifies, and learns of revocations", async () => {
    const net = network();
    const v = verifierOf(net);
    const token = net.tokens.token({ sid: "ses_1" });
    expect(await codeOf(v.verify(token))).toBe("keys_unavailable");
    await v.ready(AbortSignal.timeout(5000));
    expect(await codeOf(v.verify(token))).toBe("ok");
    expect(v.feedAge()).toBeLessThan(5);
    net.revoke(sessionFact, "ses_1");
    await vi.waitFor(async () => { expect(await codeOf(v.verify(token))).toBe("token_revoked"); });
  });

  it("answers 503 once the feed is stale, and comes back by itself", async () => {
    vi.useFakeTimers();
    const net = network();
    const v = verifierOf(net, { leeway: 600 });
    await vi.advanceTimersByTimeAsync(1000);
    await v.ready();
    const token = net.tokens.token();
    expect(await codeOf(v.verify(token))).toBe("ok");
    net.down = true;
    await vi.advanceTimersByTimeAsync(50_000);
    expect(await codeOf(v.verify(token))).toBe("ok");
    await vi.advanceTimersByTimeAsync(70_000);
    expect(await codeOf(v.verify(token))).toBe("revocation_unavailable");
    net.down = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await codeOf(v.verify(token))).toBe("ok");
  });

  it("goes on without a feed only where that is wanted", async () => {
    vi.useFakeTimers();
    const net = network();
    const v = verifierOf(net, { dangerouslyFailOpen: true });
    await vi.advanceTimersByTimeAsync(1000);
    net.down = true;
    await vi.advanceTimersByTimeAsync(300_000);
    expect(await codeOf(v.verify(net.tokens.token()))).toBe("ok");

    const metadata = { issuer: name, jwks_uri: name + "/jwks" };
    const bare = Object.assign(network(), { metadata, tokens: net.tokens });
    await expect(verifierOf(bare).ready()).rejects.toThrow("dangerouslyIgnoreRevocation");
    const old = verifierOf(bare, { dangerouslyIgnoreRevocation: true });
    await old.ready();
    expect(await codeOf(old.verify(net.tokens.token()))).toBe("ok");
  });

  it.each([
    ["names another issuer", { issuer: "https://other.test" }, "byte for byte"],
    ["leads elsewhere", { jwks_uri: "https://other.test/jwks" }, "another origin"],
  ])("metadata that %s", async (_, change, reason) => {
    const net = network();
    Object.assign(net.metadata, change);
    await expect(verifierOf(net).ready()).rejects.toThrow(reason);
  });

  it("says what is wrong with a configuration, all of it", () => {
    expect(() => createVerifier({ issuer: "http://issuer.test", audience: "", leeway: -1, maxStale: 1, dangerouslyIgnoreRevocation: true, dangerouslyFailOpen: true, audiance: 1 } as unknown as VerifierConfig))
      .toThrow(/audiance is unknown; issuer .*https.*; audience .*; leeway .*; maxStale .*; dangerously/);
  });

  it("closes: no timer and no question is left", async () => {
    vi.useFakeTimers();
    const end = new AbortController();
    const net = network();
    const v = verifierOf(net, { signal: end.signal });
    await vi.advanceTimersByTimeAsync(1000);
    await v.ready();
    end.abort();
    await vi.advanceTimersByTimeAsync(1000);
    const asked = net.asked.length;
    await vi.advanceTimersByTimeAsync(4_000_000);
    expect(net.asked.length).toBe(asked);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1); // the pretended server's own
  });
});

describe("keys of an issuer", () => {
  const follow = (net: ReturnType<typeof network>) => {
    const end = new AbortController();
    open.push({ close: () => { end.abort(); } });
    return new RemoteKeys(name + "/jwks", net.send, end.signal, () => undefined);
  };

  it("are asked for once, however many unknown ids come, and again after the cool-down", async () => {
    vi.useFakeTimers();
    const net = network();
    const keys = follow(net);
    await keys.refresh();
    await Promise.all(Array.from({ length: 100 }, async (_, i) => keys.find(`unknown ${i}`)));
    expect(net.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(11_000);
    net.tokens.rotate();
    expect(await keys.find((net.tokens.jwks.keys[1] as { kid: string }).kid)).toBeDefined();
    expect(net.asked).toHaveLength(3);
  });

  it("stay the same ones when they are answered again, and outlive a failure", async () => {
    vi.useFakeTimers();
    const net = network();
    const keys = follow(net);
    await keys.refresh();
    const kid = (net.tokens.jwks.keys[0] as { kid: string }).kid;
    const key = (await keys.find(kid))!;
    await keys.refresh();
    expect(await keys.find(kid)).toBe(key);
    net.headers.ETag = '"1"';
    await keys.refresh();
    await keys.refresh();
    expect(keys.trusts(key)).toBe(true);
    net.down = true;
    await vi.advanceTimersByTimeAsync(23 * 3600_000);
    expect(keys.trusts(key)).toBe(true);
    await vi.advanceTimersByTimeAsync(3 * 3600_000);
    expect(keys.trusts(key)).toBe(false);
    await expect((async () => keys.find(kid))()).rejects.toMatchObject({ code: "keys_unavailable" });
  });

  it("are refused in an answer that is too large, or of another kind", async () => {
    const of = (body: string, type: string) =>
      new RemoteKeys(name, () => Promise.resolve(new Response(body, { headers: { "Content-Type": type } })), new AbortController().signal, () => undefined).refresh();
    await expect(of("{" + " ".repeat(1 << 20), "application/json")).rejects.toThrow("bytes");
    await expect(of('{"keys":[]}', "text/html")).rejects.toThrow("type");
    await expect(of('{"keys":[]}', "application/json")).rejects.toThrow("no key");
  });
});

describe("what is kept", () => {
  it("holds facts, drops what has expired and refuses what does not fit", () => {
    const facts = new Facts(20_000);
    const rows = Buffer.concat(Array.from({ length: 20_000 }, (_, i) => row(sessionFact, `ses_${i}`)));
    for (let i = 0; i < 10_000; i++) rows.writeUInt32BE(1000, i * 24 + 16);
    expect(facts.add(rows, 100)).toBe(true);
    expect(facts.size).toBe(20_000);
    const has = (sid: string) => {
      try {
        facts.check({ facts: [{ fact: fact(sessionFact, name, sid), said: "" }], issuedAt: 0 });
        return false;
      } catch {
        return true;
      }
    };
    for (let i = 0; i < 20_000; i += 97) expect(has(`ses_${i}`)).toBe(true);
    expect(has("ses_20000")).toBe(false);
    expect(facts.add(row(sessionFact, "more"), 100)).toBe(false);
    expect(facts.add(row(sessionFact, "more"), 1001)).toBe(true);
    expect(facts.size).toBe(10_001);
    expect([has("ses_1"), has("ses_10000"), has("more")]).toEqual([false, true, true]);
  });

  it("is bounded in bytes", async () => {
    const issuer = createTestIssuer();
    let signatures = 0;
    const set = parseKeySet(JSON.stringify(issuer.jwks));
    const checker = new Checker({
      issuer: issuer.issuer, audiences: [issuer.audience], type: "at+jwt", leeway: 0, cacheBytes: 100_000, now: Date.now,
      keys: { find: (kid) => (signatures++, set.find(kid)), trusts: (key) => set.trusts(key) },
    });
    const tokens = Array.from({ length: 200 }, () => issuer.token());
    for (const token of tokens) await checker.verify(token);
    await checker.verify(tokens[199]!);
    expect(signatures).toBe(200);
    await checker.verify(tokens[0]!);
    expect(signatures).toBe(201);
  });
});

describe("answers", () => {
  it("say nothing of the reason, and when to come back", () => {
    const { status, headers, body, id } = refusal(new TokenError("revocation_unavailable", "secret reason"), "api");
    expect([status, headers["Retry-After"], headers["WWW-Authenticate"]]).toEqual([503, "5", undefined]);
    expect(JSON.parse(body)).toEqual({ type: expect.stringMatching(/errors\.md#revocation_unavailable$/) as string, title: "Try again shortly.", status: 503, code: "revocation_unavailable", id });
    expect(refusal(new Error("secret"), "api").body).not.toContain("secret");
    expect(refusal(new Error("secret"), "api").status).toBe(500);
  });

  it.each([[{ roles: "x" }], [{ role: "" }], [{ role: ["a"] }], [{ scope: "a b" }], [{ any: [] }], [{ all: [{}] }], ["editor"], [null]])("a rule that is none: %j", (rule) => {
    expect(() => compileRule(rule as never)).toThrow("rule");
  });
});
