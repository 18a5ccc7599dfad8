import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ClientConfig, JotsmithError, createClient, stepUp } from "../src/index.js";
import { type Locks, Script, api, inBrowser, invalid, issuer, over, problem } from "./issuer.js";

let script: Script;
let page: ReturnType<typeof inBrowser>;
const events: string[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  script = new Script();
  page = inBrowser();
  events.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const make = (config: Partial<ClientConfig> = {}) => {
  const client = createClient({ issuer, apis: [api], fetch: script.fetch, ...config });
  for (const event of ["signed-in", "signed-out", "expired"] as const) client.on(event, () => events.push(event));
  return client;
};
const ada = { username: "ada", password: "correct horse" };
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
/** The promise's outcome, timers running meanwhile. */
const done = async <T>(promise: Promise<T>, ms = 100): Promise<T> => {
  promise.catch(() => undefined);
  await pass(ms);
  return promise;
};
const fault = (promise: Promise<unknown>, ms = 100) => done(promise.then(() => "no fault", (e: unknown) => e as JotsmithError), ms);
const signedIn = async (config: Partial<ClientConfig> = {}) => {
  const client = make(config);
  await done(client.login(ada));
  return client;
};

describe("configuration", () => {
  test.each<[string, Partial<ClientConfig>, RegExp]>([
    ["plain http", { issuer: "http://auth.example.com" }, /must be https/],
    ["no URL", { issuer: "auth" }, /is no URL/],
    ["an API with a path", { apis: ["https://api.example.com/v1"] }, /without a path/],
    ["an API over http", { apis: ["http://localhost.evil.com"] }, /must be https/],
    ["a storage that is none", { storage: "local-storage" as "memory" }, /is none/],
    ["credentials", { issuer: "https://a:secret@auth.example.com" }, /^(?!.*secret)/],
  ])("%s", (_, config, message) => { expect(() => make(config)).toThrow(message); });
  test("all faults at once", () => { expect(() => make({ issuer: "x", apis: ["y://"] })).toThrow(/issuer.*; api/); });
  test("loopback may be http, and / is the page's own origin", async () => {
    const client = await signedIn({ issuer: "http://127.0.0.1:8080", apis: ["/"] });
    await done(client.fetch("tasks"));
    expect(script.calls.at(-1)).toMatchObject({ url: "https://app.example.com/list/tasks", authorization: `Bearer ${script.access()}` });
  });
});

describe("log in", () => {
  test("by cookie: no refresh token is kept or asked for", async () => {
    const client = make();
    expect(client.current).toBeUndefined();
    const session = await done(client.login(ada));
    expect(session).toEqual({ id: "ses_1", subject: "acc_ädä", roles: ["editor"], scope: ["tasks:read", "tasks:write"] });
    expect(script.calls[0]).toMatchObject({ body: { ...ada, mode: "cookie" }, credentials: "include" });
    expect(JSON.stringify(client) + JSON.stringify([...(localStorage as unknown as { items: Map<string, string> }).items])).not.toMatch(/jsr_|jsd_|eyJ/);
    expect(events).toEqual(["signed-in"]);
  });
  test("a wrong password says so and changes nothing", async () => {
    const client = await signedIn();
    script.answer("/v1/login", problem(401, "invalid_credentials"));
    expect(await fault(client.login(ada))).toMatchObject({ code: "invalid_credentials", status: 401, id: "req_1", message: "It was invalid_credentials." });
    expect(client.current?.id).toBe("ses_1");
  });
  test.each(["memory", "session-storage", "dangerously-local-storage"] as const)("%s: the device token is sent again", async (storage) => {
    const client = await signedIn({ storage, audience: api, scope: "tasks:read" });
    await done(client.login(ada));
    expect(script.calls[1]).toMatchObject({ body: { ...ada, audience: api, scope: "tasks:read", device_token: "jsd_1" }, credentials: "omit" });
  });
  test("cookies need a browser", async () => {
    vi.unstubAllGlobals();
    const client = make();
    await expect(client.login(ada)).rejects.toThrow(/needs a browser/);
    await expect(client.session()).resolves.toBeNull();
    expect(script.calls).toHaveLength(0);
  });
  test.each([["nothing", Response.json({})], ["no JSON", new Response("<html>")], ["null", Response.json(null)], ["no life", Response.json({ access_token: "a", session_id: "s", expires_in: -1 })]])(
    "an answer with %s is none", async (_, answer) => {
      script.answer("/v1/login", answer);
      expect(await fault(make().login(ada))).toMatchObject({ code: "bad_answer" });
    });
});

describe("restore", () => {
  test("once, for all who ask", async () => {
    const client = make();
    const [a, b] = await done(Promise.all([client.session(), client.session()]));
    expect(a?.id).toBe("ses_1");
    expect(a).toBe(b);
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test("nobody is signed in: no event", async () => {
    script.answer("/v1/refresh", over());
    expect(await done(make().session())).toBeNull();
    expect(events).toEqual([]);
  });
  test.each([["the network is away", new TypeError("Failed to fetch"), "network"], ["503", problem(503, "server_busy"), "server_busy"], ["403", problem(403, "cross_origin"), "cross_origin"], ["a proxy's 401", new Response("<html>", { status: 401 }), "bad_answer"]])(
    "%s: nobody knows, and asking again helps", async (_, answer, code) => {
      script.answer("/v1/refresh", answer);
      const client = make();
      expect(await fault(client.session())).toMatchObject({ code });
      expect(client.current).toBeUndefined();
      await pass(5_000);
      expect((await done(client.session()))?.id).toBe("ses_1");
    });
  test.each(["session-storage", "dangerously-local-storage"] as const)("%s", async (storage) => {
    await signedIn({ storage });
    expect((await done(make({ storage }).session()))?.id).toBe("ses_1");
    expect(script.calls.at(-1)).toMatchObject({ url: issuer + "/v1/refresh", body: { refresh_token: "jsr_1" } });
  });
  test("memory: nothing to restore, nothing asked", async () => {
    expect(await done(make({ storage: "memory" }).session())).toBeNull();
    expect(script.calls).toHaveLength(0);
  });
  test("a storage that throws is memory", async () => {
    vi.stubGlobal("localStorage", { getItem() { throw new Error("blocked"); }, setItem() { throw new Error("full"); } });
    const client = await signedIn({ storage: "dangerously-local-storage", apis: [api] });
    await pass(900_000);
    expect((await done(client.fetch(api))).status).toBe(200);
  });
});

describe("renewal", () => {
  test("before the token expires, where the page calls", async () => {
    const client = await signedIn();
    await done(client.fetch(api));
    await pass(838_000);
    expect(script.count("/v1/refresh")).toBe(0);
    await pass(5_000);
    expect(script.count("/v1/refresh")).toBe(1);
    await pass(3_600_000); // and a page that calls nothing lets the session rest
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test("a hidden page waits for its next call", async () => {
    const client = await signedIn();
    await done(client.fetch(api));
    page.visibilityState = "hidden";
    await pass(900_000);
    expect(script.count("/v1/refresh")).toBe(0);
    await done(client.fetch(api));
    expect(script.calls.at(-1)?.authorization).toBe(`Bearer ${script.access(2)}`);
  });
  test.each([-2, 2])("a clock %d hours off changes nothing", async (hours) => {
    vi.setSystemTime(Date.now() + hours * 3600_000);
    const client = await signedIn();
    await done(client.fetch(api));
    expect(script.count("/v1/refresh")).toBe(0);
    await pass(900_000);
    await done(client.fetch(api));
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test("a clock that is set back delays nothing", async () => {
    const client = await signedIn();
    vi.setSystemTime(Date.now() - 7200_000);
    page.visibilityState = "hidden";
    await pass(900_000);
    await done(client.fetch(api));
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test("after sleep, which the steady clock may leave out", async () => {
    const client = await signedIn();
    vi.setSystemTime(Date.now() + 900_000);
    await done(client.fetch(api));
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test("once after invalid_token, and the request again", async () => {
    const client = await signedIn();
    script.answer("/", invalid());
    const response = await done(client.fetch(api, { method: "POST", body: "x" }));
    expect(response.status).toBe(200);
    expect(script.calls.map((c) => [new URL(c.url).pathname, c.authorization === null])).toEqual([["/v1/login", true], ["/", false], ["/v1/refresh", true], ["/", false]]);
    expect(script.calls.at(-1)).toMatchObject({ text: "x", authorization: `Bearer ${script.access(2)}` });
  });
  test("also where CORS hides the challenge", async () => {
    const client = await signedIn();
    script.answer("/", problem(401, "token_revoked"));
    expect((await done(client.fetch(api))).status).toBe(200);
  });
  test.each([["token_missing", 401], ["forbidden", 403]])("not after %s", async (code, status) => {
    const client = await signedIn();
    script.answer("/", problem(status, code, { "WWW-Authenticate": 'Bearer error="insufficient_scope"' }));
    expect((await done(client.fetch(api))).status).toBe(status);
    expect(script.count("/v1/refresh")).toBe(0);
  });
  test.each([
    ["as the challenge says", { "WWW-Authenticate": 'Bearer realm="x", error="insufficient_user_authentication", error_description="needs log-in within 300 s", max_age="300", acr_values="silver gold"' }, { maxAge: 300, acr: ["silver", "gold"] }],
    ["where CORS hides the challenge", {}, { maxAge: undefined, acr: [] }],
  ])("RFR-13 not where a new log-in is wanted, %s", async (_, headers, want) => {
    const client = await signedIn();
    const demand = () => problem(401, "insufficient_user_authentication", headers);
    script.answer("/", demand(), demand());
    for (let i = 0; i < 2; i++) {
      const response = await done(client.fetch(api, { method: "DELETE" }));
      expect(await stepUp(response)).toEqual(want);
      expect(await response.json()).toMatchObject({ code: "insufficient_user_authentication" });
    }
    expect(script.count("/v1/refresh")).toBe(0);
    expect(script.count("/")).toBe(2);
    expect(client.current?.id).toBe("ses_1");
    await done(client.login({ username: "ada", password: "correct horse" }));
    expect((await done(client.fetch(api, { method: "DELETE" }))).status).toBe(200);
    expect(script.calls.at(-1)).toMatchObject({ authorization: `Bearer ${script.access(2)}` });
  });
  test.each([
    ["good", () => Response.json({ code: "insufficient_user_authentication" })],
    ["a bad token", () => invalid()],
    ["a refusal that is no problem document", () => new Response('{"code":"insufficient_user_authentication"}', { status: 401, headers: { "Content-Type": "text/plain" } })],
    ["another challenge, whatever the body", () => problem(401, "insufficient_user_authentication", { "WWW-Authenticate": 'Bearer error="invalid_token"' })],
    ["a word within words", () => problem(401, "x", { "WWW-Authenticate": 'Bearer error_description="error=insufficient_user_authentication"' })],
    ["nonsense", () => new Response("{", { status: 401, headers: { "Content-Type": "application/problem+json" } })],
  ])("RFR-13 no log-in is wanted by %s", async (_, make) => {
    expect(await stepUp(make())).toBeUndefined();
  });
  test("an API that refuses every token makes no loop", async () => {
    const client = await signedIn();
    script.good = new Set();
    for (let i = 0; i < 20; i++) expect((await done(client.fetch(api))).status).toBe(401);
    expect(script.count("/v1/refresh")).toBe(1);
    expect(script.count("/")).toBe(21);
    expect(events).toEqual(["signed-in"]);
  });
  test.each<[string, () => [RequestInfo | URL, RequestInit?]]>([
    ["a stream", () => [api, { method: "POST", body: new Blob(["x"]).stream() }]],
    ["a Request with a body", () => [new Request(api, { method: "POST", body: "x" })]],
  ])("%s is spent and not sent again", async (_, request) => {
    const client = await signedIn();
    script.answer("/", invalid());
    expect((await done(client.fetch(...request()))).status).toBe(401);
    expect([script.count("/"), script.count("/v1/refresh")]).toEqual([1, 1]); // the next call is fine
  });
  test.each<[string, BodyInit]>([["a Blob", new Blob(["x"])], ["a form", new URLSearchParams("x=1")], ["bytes", new Uint8Array([120])], ["a buffer", new ArrayBuffer(1)]])("%s is sent again", async (_, body) => {
    const client = await signedIn();
    script.answer("/", invalid());
    expect((await done(client.fetch(api, { method: "POST", body }))).status).toBe(200);
  });
  test("ten calls at once renew once", async () => {
    const client = await signedIn();
    page.visibilityState = "hidden";
    await pass(900_000);
    await done(Promise.all(Array.from({ length: 10 }, () => client.fetch(api))));
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test("memory: with the newest refresh token", async () => {
    const client = await signedIn({ storage: "memory" });
    for (let i = 1; i < 4; i++) {
      await pass(900_000);
      await done(client.fetch(api));
      expect(script.calls.at(-2)?.body).toEqual({ refresh_token: `jsr_${i}` });
    }
  });
});

describe("when the issuer cannot answer", () => {
  test("no failure of the network signs out", async () => {
    const client = await signedIn();
    await pass(900_000);
    script.answer("/v1/refresh", new TypeError("Failed to fetch"), new TypeError("Failed to fetch"));
    for (let i = 0; i < 2; i++) expect(await fault(client.fetch(api))).toMatchObject({ code: "network", status: 0 });
    expect((await done(client.fetch(api))).status).toBe(200);
    expect(events).toEqual(["signed-in"]);
  });
  test("a token that still lives is used", async () => {
    const client = await signedIn();
    page.visibilityState = "hidden";
    await pass(870_000);
    script.answer("/v1/refresh", new TypeError("Failed to fetch"));
    expect((await done(client.fetch(api))).status).toBe(200);
  });
  test.each([[429, "rate_limited"], [503, "server_busy"]])("%d: waits for Retry-After", async (status, code) => {
    const client = await signedIn();
    await pass(900_000);
    script.answer("/v1/refresh", problem(status, code, { "Retry-After": "7" }));
    for (let i = 0; i < 5; i++) expect(await fault(client.fetch(api))).toMatchObject({ code, retryAfter: 7 });
    expect(script.count("/v1/refresh")).toBe(1);
    await pass(7_000);
    expect((await done(client.fetch(api))).status).toBe(200);
  });
  test("an issuer that never answers is given up", async () => {
    const client = await signedIn();
    await pass(900_000);
    script.answer("/v1/refresh", () => new Promise(() => undefined));
    const slow: typeof fetch = (input, init) => (input as string).endsWith("/v1/refresh") ? new Promise((_, no) => init?.signal?.addEventListener("abort", () => { no(new Error("aborted")); })) : script.fetch(input, init);
    const other = make({ fetch: slow });
    expect(await fault(other.session(), 15_001)).toMatchObject({ code: "network" });
    expect(client.current?.id).toBe("ses_1");
  });
});

describe("end", () => {
  test("by an operator: signed out at the next call, in all tabs", async () => {
    const [a, b] = [make(), make()];
    await done(a.login(ada));
    expect(b.current?.id).toBe("ses_1");
    script.answer("/", invalid());
    script.answer("/v1/refresh", over());
    expect((await done(b.fetch(api))).status).toBe(401);
    expect([a.current, b.current]).toEqual([null, null]);
    expect(events.sort()).toEqual(["expired", "signed-in", "signed-in", "signed-out"]);
  });
  test("log-out: all tabs, and the issuer", async () => {
    const tabs = [make(), make(), make()];
    await done(tabs[0]!.login(ada));
    await done(tabs[1]!.logout());
    expect(tabs.map((t) => t.current)).toEqual([null, null, null]);
    expect(script.calls.at(-1)).toMatchObject({ url: issuer + "/v1/refresh/end", body: {}, credentials: "include" });
    expect(localStorage.getItem(`jotsmith ending ${issuer}`)).toBeNull();
  });
  test("log-out offline: signed out at once, told to the issuer later", async () => {
    const client = await signedIn();
    script.answer("/v1/refresh/end", new TypeError("Failed to fetch"));
    expect(await fault(client.logout())).toMatchObject({ code: "network" });
    expect(client.current).toBeNull();
    const reloaded = make();
    expect(await done(reloaded.session())).toBeNull();
    expect([script.count("/v1/refresh"), script.count("/v1/refresh/end")]).toEqual([0, 2]);
    await done(reloaded.login(ada));
    expect((await done(make().session()))?.id).toBe("ses_1");
  });
  test("memory: by its access token, of this tab alone", async () => {
    const [a, b] = [await signedIn({ storage: "memory" }), await signedIn({ storage: "memory" })];
    await done(a.logout());
    expect(script.calls.at(-1)).toMatchObject({ url: issuer + "/v1/logout", authorization: `Bearer ${script.access(1)}` });
    expect(b.current?.id).toBe("ses_1");
  });
  test("everywhere", async () => {
    const client = await signedIn();
    script.answer("/v1/logout-all", problem(503, "server_busy"));
    expect(await fault(client.logout({ everywhere: true }))).toMatchObject({ code: "server_busy" });
    expect(client.current?.id).toBe("ses_1");
    await done(client.logout({ everywhere: true }));
    expect(client.current).toBeNull();
  });
  test("everywhere: no renewal meanwhile finds the session expired", async () => {
    const client = await signedIn();
    const events: string[] = [];
    for (const event of ["signed-out", "expired"] as const) client.on(event, () => events.push(event));
    await done(client.fetch(api));
    await pass(835_000);
    let answer!: (r: Response) => void;
    script.answer("/v1/logout-all", new Promise<Response>((go) => { answer = go; }));
    const out = client.logout({ everywhere: true });
    await pass(10_000); // now the timer renews
    expect(script.count("/v1/refresh")).toBe(0);
    answer(new Response(null, { status: 204 }));
    await done(out);
    expect([script.count("/v1/refresh"), events]).toEqual([0, ["signed-out"]]);
  });
  test("a renewal that is answered after the log-out brings nobody back", async () => {
    const client = await signedIn();
    await pass(900_000);
    let answer!: (r: Response) => void;
    script.answer("/v1/refresh", new Promise<Response>((go) => { answer = go; }));
    const call = client.fetch(api);
    await pass();
    const out = client.logout();
    answer(script.tokens());
    await done(Promise.all([call, out]));
    expect(client.current).toBeNull();
    expect(script.calls.at(-1)?.url).toBe(issuer + "/v1/refresh/end");
  });
});

describe("tabs", () => {
  const together = async (n: number) => {
    const tabs = Array.from({ length: n }, () => make());
    await done(tabs[0]!.login(ada));
    page.visibilityState = "hidden";
    await pass(900_000);
    return tabs;
  };
  test("ten renew once", async () => {
    const tabs = await together(10);
    const answers = await done(Promise.all(tabs.map((t) => t.fetch(api))), 2_000);
    expect(answers.map((r) => r.status)).toEqual(Array(10).fill(200));
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test("without locks and messages each renews", async () => {
    vi.stubGlobal("navigator", {});
    vi.stubGlobal("BroadcastChannel", undefined);
    const tabs = Array.from({ length: 3 }, () => make());
    await done(Promise.all(tabs.map((t) => t.session())));
    expect(tabs.map((t) => t.current?.id)).toEqual(["ses_1", "ses_1", "ses_1"]);
    expect(script.count("/v1/refresh")).toBe(3);
  });
  test("a lock that nobody gives back is stolen", async () => {
    const [tab] = await together(1);
    const locks = navigator.locks as unknown as Locks;
    locks.held = {};
    const call = tab!.fetch(api);
    await pass(4_900);
    expect(script.count("/v1/refresh")).toBe(0);
    expect((await done(call, 200)).status).toBe(200);
    expect(locks.stolen).toBe(1);
  });
  /** What the last tab gets late: tokens that another got so many seconds ago. */
  const late = (seconds: number, session_id = "ses_1") => {
    const { onmessage } = [...(BroadcastChannel as unknown as { all: Set<{ onmessage: (e: unknown) => void }> }).all].at(-1)!;
    script.generation++;
    onmessage({ data: { is: "in", answer: { access_token: script.access(), expires_in: 900, session_id }, age: 1_000, at: Date.now() - seconds * 1_000 } });
  };
  test.each([[100, 0], [880, 1], [1_200, 1]])("one that slept: tokens of %d seconds ago", async (seconds, refreshes) => {
    const tab = make();
    late(seconds);
    expect(tab.current?.id).toBe("ses_1");
    expect((await done(tab.fetch(api))).status).toBe(200);
    expect(script.count("/v1/refresh")).toBe(refreshes);
  });
  test("one that slept: its own token's successor has an age too", async () => {
    const tab = await signedIn();
    await pass(600_000);
    late(300);
    await done(tab.fetch(api));
    expect(script.calls.at(-1)?.authorization).toBe(`Bearer ${script.access(2)}`);
    page.visibilityState = "hidden";
    await pass(560_000);
    await done(tab.fetch(api));
    expect(script.count("/v1/refresh")).toBe(1);
  });
  test.each(["ses_1", "ses_0"])("one that slept: tokens of %s that are older than its own", async (session) => {
    const tab = await signedIn();
    await pass(60_000);
    late(300, session);
    expect(tab.current?.id).toBe("ses_1");
    await done(tab.fetch(api));
    expect(script.calls.at(-1)?.authorization).toBe(`Bearer ${script.access(1)}`);
  });
  test("session-storage: a copied tab follows, another session's does not", async () => {
    const a = await signedIn({ storage: "session-storage" });
    script.session = "ses_2";
    const b = make({ storage: "session-storage" });
    await done(b.login(ada));
    expect([a.current?.id, b.current?.id]).toEqual(["ses_1", "ses_2"]);
  });
});

describe("tokens stay where they belong", () => {
  test.each(["https://api.example.com.evil.net/", "https://evil.net/?https://api.example.com", "http://api.example.com/", "https://api.example.com:8443/", "https://app.example.com/x", "https://api.example.com@evil.net/", "//evil.net/", "relative", "data:text/plain,x"])(
    "not to %s", async (url) => {
      const client = await signedIn();
      const send = vi.fn<typeof fetch>(() => Promise.resolve(invalid()));
      const other = make({ fetch: (input, init) => (new URL(input as string).origin === issuer ? script.fetch(input, init) : send(input, init)) });
      await done(other.session());
      await done(other.fetch(url));
      expect(send).toHaveBeenCalledTimes(1);
      expect(new Headers(send.mock.calls[0]![1]?.headers).has("Authorization")).toBe(false);
      expect(await client.authorization(url)).toBeUndefined();
    });
  test("an Authorization of one's own is left alone", async () => {
    const client = await signedIn();
    await done(client.fetch(api, { headers: { Authorization: "Basic x" } }));
    expect(script.calls.at(-1)?.authorization).toBe("Basic x");
  });
  test("no error text has one", async () => {
    const client = await signedIn({ storage: "dangerously-local-storage" });
    await pass(900_000);
    for (const answer of [new TypeError("Failed to fetch"), problem(500, "internal"), Response.json({ access_token: "eyJsecret" }), new Response("jsr_secret", { status: 502 })]) {
      script.answer("/v1/refresh", answer);
      const error = await fault(client.fetch(api));
      expect(error).toBeInstanceOf(JotsmithError);
      expect(String(error) + JSON.stringify(error) + String((error as Error).stack) + String((error as Error).cause)).not.toMatch(/eyJ|jsr_|jsd_/);
    }
  });
});

describe("callbacks and signals", () => {
  test("a listener that waits holds nothing up", async () => {
    const client = make();
    const inside = vi.fn();
    client.on("signed-in", () => void client.fetch(api).then(inside));
    await done(client.login(ada));
    expect(inside).toHaveBeenCalled();
    expect((navigator.locks as unknown as Locks).held).toBeUndefined();
  });
  test("a listener is called until it is taken away", async () => {
    const client = make();
    const heard = vi.fn();
    const stop = client.on("change", heard);
    await done(client.login(ada));
    expect(heard).toHaveBeenCalledTimes(1);
    stop();
    await done(client.logout());
    expect(heard).toHaveBeenCalledTimes(1);
  });
  test("an aborted call waits no longer; the renewal goes on for others", async () => {
    const client = await signedIn();
    await pass(900_000);
    let answer!: (r: Response) => void;
    script.answer("/v1/refresh", new Promise<Response>((go) => { answer = go; }));
    const stop = new AbortController();
    const aborted = fault(client.fetch(api, { signal: stop.signal }), 0);
    const other = client.fetch(api);
    await pass();
    stop.abort(new Error("enough"));
    expect(await aborted).toMatchObject({ message: "enough" });
    answer(script.tokens());
    expect((await done(other)).status).toBe(200);
  });
  test("an aborted log-in is none", async () => {
    const client = make();
    expect(await fault(client.login(ada, { signal: AbortSignal.abort(new Error("enough")) }))).toMatchObject({ message: "enough" });
    expect(script.calls).toHaveLength(0);
  });
  test("a closed client hears nothing", async () => {
    const [a, b] = [make(), make()];
    b.close();
    await done(a.login(ada));
    expect(b.current).toBeUndefined();
  });
});
