import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import express from "express";
// @ts-expect-error -- its types are those of Express 5, as far as they are used here
import express4 from "express-4";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuard } from "../../src/express.js";
import { TokenError, type Algorithm, type Rule, type Verifier } from "../../src/server.js";
import { Follower } from "../../src/server/feed.js";
import { parseKeySet } from "../../src/server/keys.js";
import { Checker, type Revocations } from "../../src/server/token.js";

// The suite says in its README.md what each file means.
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../../../testdata/conformance/${name}.json`, import.meta.url), "utf8"));

interface Policy { issuer: string; audiences: string[]; type: string; leeway: number; algorithms?: Algorithm[]; keys?: object; secrets?: object }
const { policies } = read("policies") as { policies: Record<string, Policy> };
const sets = new Map(Object.entries(policies).map(([name, { keys }]) => [name, keys && parseKeySet(JSON.stringify(keys))]));

function checkerOf(name: string, now: number, revocations?: Revocations): Checker | undefined {
  const keys = sets.get(name);
  return keys && new Checker({ ...policies[name]!, keys, cacheBytes: 1 << 20, now: () => now * 1000, revocations });
}

async function classOf(checker: Checker, token: string): Promise<[string, unknown]> {
  try {
    return ["ok", (await checker.verify(token)).claims];
  } catch (e) {
    if (!(e instanceof TokenError)) throw e;
    return [e.code, undefined];
  }
}

describe("tokens", () => {
  const { cases } = read("tokens") as { cases: { id: string; what: string; policy: string; now: number; token: string; want: string; claims?: object }[] };
  let left = 0;
  it.each(cases)("$id $what", async ({ policy, now, token, want, claims }) => {
    const checker = checkerOf(policy, now);
    if (!checker) { // secrets
      left++;
      return;
    }
    for (const time of ["cold", "warm"]) {
      const [got, said] = await classOf(checker, token);
      expect(got, time).toBe(want);
      if (claims) expect(JSON.stringify(said), time).toBe(JSON.stringify(claims));
    }
  });
  afterAll(() => { expect(left).toBe(cases.filter((c) => policies[c.policy]!.secrets).length); });
});

describe("key sets", () => {
  const { cases } = read("keysets") as { cases: { id: string; what: string; set: string; want: string; kids?: string[] }[] };
  it.each(cases)("$id $what", ({ set, want, kids = [] }) => {
    if (want === "refused") expect(() => parseKeySet(set)).toThrow("key");
    else expect(parseKeySet(set).keys.map((key) => key.kid)).toEqual(kids);
  });
});

describe("feeds", () => {
  interface Case { id: string; what: string; policy: string; now: number; feed_keys: object; answers: { document: string; accepted: boolean }[]; tokens: { what: string; token: string; want: string }[] }
  it.concurrent.each((read("feeds") as { cases: Case[] }).cases)("$id $what", async ({ policy, now, feed_keys, answers, tokens }) => {
    const end = new AbortController();
    // The server answers once for each time it is told to, and tells of each question.
    let asked!: (url: string) => void, tell!: (document: string) => void;
    let question = new Promise<string>((resolve) => { asked = resolve; });
    const send = (url: string | URL | Request) => {
      asked(url as string);
      return new Promise<Response>((resolve) => {
        tell = (document) => { resolve(new Response(document, { headers: { "Content-Type": "application/revocations+jwt" } })); };
      });
    };
    const { issuer, leeway } = policies[policy]!;
    const follower = new Follower({
      url: issuer + "/v1/revocations", issuer, keys: parseKeySet(JSON.stringify(feed_keys)), leeway, maxStale: 60, maxFacts: undefined, failOpen: false,
      now: () => now * 1000, send, signal: end.signal, log: () => undefined,
    });
    void follower.run();
    await question;
    for (const { document, accepted } of answers) {
      question = new Promise<string>((resolve) => { asked = resolve; });
      tell(document);
      const url = await question;
      expect([follower.error === undefined && url.includes("after="), follower.error]).toEqual([accepted, accepted ? undefined : follower.error]);
    }
    const checker = checkerOf(policy, now, follower)!;
    for (const { what, token, want } of tokens)
      for (const time of ["cold", "warm"]) expect((await classOf(checker, token))[0], `${what}, ${time}`).toBe(want);
    end.abort();
  });
});

interface RequestCase { id: string; what: string; policy: string; now: number; request: { method: string; target: string; headers: [string, string][] }; rule?: Written; want: string; status: number; challenge_error?: string; challenge_scope?: string; challenge_max_age?: string; challenge_acr_values?: string; challenge_description?: string }
type Written = Omit<Rule, "maxAge" | "all" | "any"> & { max_age?: number; all?: Written[]; any?: Written[] };
const ruleOf = ({ max_age, all, any, ...rest }: Written): Rule => ({ ...rest, ...(max_age && { maxAge: max_age }), ...(all && { all: all.map(ruleOf) }), ...(any && { any: any.map(ruleOf) }) });
const { cases: requests } = read("requests") as { cases: RequestCase[] };

describe.each([["Express 5", express], ["Express 4", express4 as unknown as typeof express]])("requests by %s", (_, make) => {
  let port = 0;
  const app = make();
  for (const [i, { policy, now, rule }] of requests.entries()) {
    const checker = checkerOf(policy, now)!;
    const verifier: Verifier = { audience: "https://tasks.example.com", log: () => undefined, verify: (token) => checker.verify(token), ready: () => Promise.resolve(), feedAge: () => 0, close: () => undefined };
    const guard = createGuard({ verifier }).require(rule && ruleOf(rule));
    app.use((req, res, next) => {
      if (req.headers["x-case"] === String(i)) guard(req, res, next);
      else next();
    });
  }
  app.use((req, res) => void res.json({ sub: req.token?.subject }));
  const server = createServer(app);
  beforeAll(() => new Promise<void>((resolve) => { server.listen(0, "127.0.0.1", () => { port = (server.address() as AddressInfo).port; resolve(); }); }));
  afterAll(() => { server.close(); });

  it.each(requests.map((c, i) => ({ ...c, i })))("$id $what", async ({ i, request, want, status, ...told }) => {
    const text = await new Promise<string>((resolve, reject) => {
      let got = "";
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(`${request.method} ${request.target} HTTP/1.1\r\n${[...request.headers, ["X-Case", i], ["Connection", "close"]].map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n`);
      });
      socket.on("data", (part) => (got += part.toString())).on("end", () => { resolve(got); }).on("error", reject);
    });
    const [head, body] = text.split("\r\n\r\n", 2) as [string, string];
    const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1]?.trim();
    expect(Number(head.split(" ", 2)[1])).toBe(status);
    if (want === "ok") {
      expect(JSON.parse(body)).toHaveProperty("sub");
      return;
    }
    const problem = JSON.parse(body) as Record<string, unknown>;
    expect(problem).toMatchObject({ code: want, status });
    expect(Object.keys(problem)).toEqual(["type", "title", "status", "code", "id"]);
    expect(header("Content-Type")).toBe("application/problem+json");
    const challenge = header("WWW-Authenticate") ?? "";
    expect(challenge).toMatch(/^Bearer realm="https:\/\/tasks\.example\.com"/);
    for (const name of ["error", "scope", "max_age", "acr_values"] as const)
      expect(new RegExp(` ${name}="([^"]*)"`).exec(challenge)?.[1], name).toBe(told[`challenge_${name}`]);
    if (told.challenge_description) expect(challenge).toContain(` error_description="${told.challenge_description}"`);
  });
});
