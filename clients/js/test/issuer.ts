import { vi } from "vitest";

/** A scripted issuer with an API beside it: it answers fetch, and counts. */
export const issuer = "https://auth.example.com";
export const api = "https://api.example.com";

type Answer = Response | Error | Promise<Response> | ((request: Request) => Response | Promise<Response>);

export class Script {
  readonly calls: { url: string; authorization: string | null; body: unknown; credentials: string; text: string }[] = [];
  generation = 0;
  life = 900;
  session = "ses_1";
  /** What the next requests of a path are answered instead. */
  readonly next = new Map<string, Answer[]>();
  /** The tokens that the API takes; all where it is undefined. */
  good: Set<string> | undefined;

  readonly fetch: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted();
    const request = new Request(input, init?.body instanceof ReadableStream ? { ...init, duplex: "half" } as RequestInit : init);
    const { pathname } = new URL(request.url);
    const text = await request.clone().text();
    let body: unknown;
    try { body = JSON.parse(text); } catch { body = undefined; }
    this.calls.push({ url: request.url, authorization: request.headers.get("Authorization"), body, credentials: request.credentials, text });
    const scripted = this.next.get(pathname)?.shift();
    if (scripted instanceof Error) throw scripted;
    if (typeof scripted === "function") return scripted(request);
    if (scripted) return scripted;
    switch (pathname) {
      case "/v1/login":
      case "/v1/refresh":
        return this.tokens();
      case "/v1/logout":
      case "/v1/logout-all":
      case "/v1/refresh/end":
        return new Response(null, { status: 204 });
    }
    const bearer = request.headers.get("Authorization")?.slice(7);
    if (!bearer) return problem(401, "token_missing", { "WWW-Authenticate": "Bearer" });
    return !this.good || this.good.has(bearer) ? Response.json({ ok: true }) : invalid();
  };

  tokens(): Response {
    this.generation++;
    return Response.json({
      access_token: this.access(), token_type: "Bearer", expires_in: this.life, session_id: this.session,
      scope: "tasks:read tasks:write", refresh_token: `jsr_${this.generation}`, device_token: "jsd_1",
    });
  }

  access(generation = this.generation): string {
    const payload = Buffer.from(JSON.stringify({ sub: "acc_ädä", roles: ["editor"], n: generation })).toString("base64url");
    return `eyJhbGciOiJFUzI1NiJ9.${payload}.signature`;
  }

  answer(path: string, ...answers: Answer[]) {
    this.next.set(path, answers);
  }

  count(path: string): number {
    return this.calls.filter((c) => new URL(c.url).pathname === path).length;
  }
}

export const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ title: `It was ${code}.`, status, code, id: "req_1" }), {
    status, headers: { "Content-Type": "application/problem+json", ...headers },
  });

export const invalid = () => problem(401, "token_expired", { "WWW-Authenticate": 'Bearer realm="x", error="invalid_token"' });
export const over = () => problem(401, "invalid_refresh_token", { "WWW-Authenticate": "Bearer" });

/** A browser's window, as far as the client looks at it; messages and locks work between clients of one process. */
export function inBrowser() {
  const store = () => {
    const items = new Map<string, string>();
    return {
      getItem: (k: string) => items.get(k) ?? null,
      setItem: (k: string, v: string) => void items.set(k, v),
      removeItem: (k: string) => void items.delete(k),
      items,
    };
  };
  const page = { visibilityState: "visible", baseURI: "https://app.example.com/list/" };
  vi.stubGlobal("location", new URL(page.baseURI));
  vi.stubGlobal("document", page);
  vi.stubGlobal("localStorage", store());
  vi.stubGlobal("sessionStorage", store());
  vi.stubGlobal("BroadcastChannel", Channel);
  vi.stubGlobal("navigator", { locks: new Locks() });
  Channel.all.clear();
  return page;
}

class Channel {
  static readonly all = new Set<Channel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor(readonly name: string) { Channel.all.add(this); }
  postMessage(data: unknown) {
    for (const other of Channel.all)
      if (other !== this && other.name === this.name) setTimeout(() => other.onmessage?.({ data: structuredClone(data) }), 1);
  }
  close() { Channel.all.delete(this); }
}

export class Locks {
  held: object | undefined;
  stolen = 0;
  readonly queue: (() => void)[] = [];
  async request(_name: string, options: LockOptions, work: (lock: object | null) => unknown): Promise<unknown> {
    if (options.steal) { this.stolen++; this.held = undefined; }
    if (this.held && options.ifAvailable) return work(null);
    while (this.held)
      await new Promise<void>((go, stop) => {
        this.queue.push(go);
        options.signal?.addEventListener("abort", () => { stop(options.signal?.reason as Error); });
      });
    const mine = (this.held = {});
    try {
      return await work(mine);
    } finally {
      if (this.held === mine) this.held = undefined;
      for (const go of this.queue.splice(0)) go();
    }
  }
}
