import { type TokenAnswer, JotsmithError, poster, tokens } from "./issuer.js";
import { openStore } from "./store.js";
import { openTabs } from "./tabs.js";
import type { AuthorizationOptions, Client, ClientConfig, ClientEvent, Session } from "./types.js";
import { claimsOf, elapsed, isInvalidToken, isReplayable, moment, originsOf, resolve, until } from "./util.js";

interface Access {
  token: string;
  life: number; // milliseconds from since on
  since: ReturnType<typeof moment>;
  because?: string; // the origin whose refusal led to it
}

/** What tabs tell each other. The refresh token goes along only between tabs of one session that share no storage. */
type Message =
  | { is: "in"; answer: TokenAnswer; age: number; at: number }
  | { is: "out"; id: string | undefined };

const settle = 30; // ms for a message to arrive from the tab that had its turn before
const calm = 10_000; // ms in which an API that refuses even new tokens gets no other

/** Makes a client. Throws an Error that names all faults of config at once. */
export function createClient(config: ClientConfig): Client {
  const kind = config.storage ?? "cookie";
  const { issuer, origins } = originsOf(config);
  const cookies = kind === "cookie";
  const shared = cookies || kind === "dangerously-local-storage"; // by all tabs
  const inBrowser = typeof location !== "undefined";
  const send = config.fetch ?? ((input: RequestInfo | URL, init?: RequestInit) => fetch(input, init));
  const post = poster(issuer, cookies, send);
  const store = openStore(kind, issuer);
  const tabs = openTabs(`jotsmith ${kind} ${issuer}`, inBrowser && kind !== "memory", (m) => { receive(m as Message); });

  let session: Session | null | undefined;
  let access: Access | undefined;
  let era = 0; // of the session: what was asked in an earlier one is ignored
  let used = false; // whether a request took the token: pages that call nothing renew nothing
  let renewing: Promise<void> | undefined;
  let pause: { since: ReturnType<typeof moment>; error: JotsmithError } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over: string | undefined; // the session that was left last: messages about it come too late

  const listeners = new Map<ClientEvent, Set<(session: Session | null) => void>>();
  const emit = (event: ClientEvent) => {
    const now = session ?? null;
    for (const listener of listeners.get(event) ?? []) queueMicrotask(() => { listener(now); });
  };

  const left = () => (access ? access.life - elapsed(access.since) : 0);
  const due = () => left() <= Math.min(60_000, (access?.life ?? 0) / 5);

  function schedule() {
    clearTimeout(timer);
    if (!access) return;
    const ahead = left() - Math.min(60_000, access.life / 5);
    timer = setTimeout(() => {
      const hidden = typeof document !== "undefined" && document.visibilityState === "hidden";
      if (used && !hidden) renew().catch(() => undefined); // the next request says what is wrong
    }, Math.min(Math.max(ahead, 0), 2 ** 31 - 1));
    (timer as { unref?: () => void }).unref?.(); // Node
  }

  function enter(answer: TokenAnswer, since: Access["since"]) {
    const was = session;
    const claims = claimsOf(answer.access_token);
    const next: Session = {
      id: answer.session_id,
      subject: claims.sub,
      roles: claims.roles ?? [],
      scope: answer.scope?.split(" ") ?? [],
    };
    access = { token: answer.access_token, life: answer.expires_in * 1000, since };
    used = false;
    pause = undefined;
    schedule();
    if (JSON.stringify(was) === JSON.stringify(next)) return;
    session = next;
    if (was?.id !== next.id) {
      era++;
      emit("signed-in");
    }
    emit("change");
  }

  function leave(event: "signed-out" | "expired") {
    const was = session;
    era++;
    over = was?.id ?? over;
    session = null;
    access = undefined;
    pause = undefined;
    clearTimeout(timer);
    store.set("refresh", undefined);
    if (was) emit(event);
    if (was !== null) emit("change");
  }

  function keep(answer: TokenAnswer, since: Access["since"]) {
    const { refresh_token, device_token, ...rest } = answer;
    if (!cookies) {
      if (refresh_token) store.set("refresh", refresh_token);
      if (device_token) store.set("device", device_token);
    }
    enter(rest, since);
    tabs.send({
      is: "in",
      answer: shared ? rest : { ...rest, ...(refresh_token && { refresh_token }) },
      age: elapsed(since),
      at: Date.now(),
    } satisfies Message);
  }

  function receive(message: Message) {
    if (message.is === "out") {
      if (session?.id === message.id || (shared && session === undefined)) leave("signed-out");
      return;
    }
    const { answer } = message;
    const same = session?.id === answer.session_id;
    if ((!shared && !same) || answer.session_id === over) return; // a session of that tab alone, or left
    // A tab that slept gets its messages late.
    const age = message.age + Math.max(0, Date.now() - message.at);
    if (access && age >= elapsed(access.since)) return; // ours is newer
    if (answer.refresh_token) store.set("refresh", answer.refresh_token);
    const { steady, wall } = moment();
    enter(answer, { steady: steady - age, wall: wall - age });
  }

  function renew(because?: string): Promise<void> {
    const [before, mine] = [access?.token, era];
    renewing ??= tabs
      .turn((waited) => renewInTurn(waited, before, mine))
      .then(() => {
        if (because && access && access.token !== before) access.because = because;
      })
      .finally(() => {
        renewing = undefined;
      });
    return renewing;
  }

  async function renewInTurn(waited: boolean, before: string | undefined, mine: number) {
    if (waited && shared) await new Promise((done) => setTimeout(done, settle));
    const changed = () => era !== mine || access?.token !== before;
    if (changed()) return;
    if (pause && elapsed(pause.since) < (pause.error.retryAfter ?? 0) * 1000) throw pause.error;
    if (cookies && store.get("ending")) {
      await end();
      leave("signed-out");
      return;
    }
    const refresh = cookies ? undefined : store.get("refresh");
    if (cookies ? !inBrowser : !refresh) {
      leave("expired");
      return;
    }
    const since = moment(); // before the token's life began
    try {
      const answer = tokens(await post("/v1/refresh", cookies ? {} : { refresh_token: refresh }));
      if (era === mine) keep(answer, since);
    } catch (error) {
      if (!(error instanceof JotsmithError)) throw error;
      if (error.status === 401 && error.code === "invalid_refresh_token") {
        if (changed() || (!cookies && store.get("refresh") !== refresh)) return;
        const id = session?.id;
        leave("expired");
        if (id) tabs.send({ is: "out", id } satisfies Message);
        return;
      }
      if (error.retryAfter) pause = { since: moment(), error };
      throw error;
    }
  }

  /** Ends the cookie's session, and takes the mark away that this is still to do. */
  async function end(signal?: AbortSignal) {
    await post("/v1/refresh/end", {}, { signal });
    store.set("ending", undefined);
  }

  async function restore(signal?: AbortSignal | null): Promise<Session | null> {
    if (session === undefined) await until(renew(), signal);
    return session ?? null;
  }

  async function authorization(url: string | URL, { signal, refused }: AuthorizationOptions = {}): Promise<string | undefined> {
    const { origin } = resolve(url);
    if (!origins.has(origin)) return undefined;
    if (!(await restore(signal))) return undefined;
    const bearer = () => access && "Bearer " + access.token;
    if (refused !== undefined) {
      if (refused !== bearer()) return bearer();
      if (access?.because === origin && elapsed(access.since) < calm) return undefined;
      await until(renew(origin), signal);
    } else if (due()) {
      try {
        await until(renew(), signal);
      } catch (error) {
        if (signal?.aborted || left() <= 0) throw error;
      }
    }
    used = true;
    return bearer();
  }

  async function authorizedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const request = input instanceof Request ? input : undefined;
    const target = request ?? resolve(input as string | URL);
    const url = request?.url ?? (target as URL);
    const headers = new Headers(init?.headers ?? request?.headers);
    if (headers.has("Authorization")) return send(target, init);
    const signal = init?.signal ?? request?.signal;
    const go = (value: string | undefined) => {
      if (value) headers.set("Authorization", value);
      return send(target, { ...init, headers });
    };
    const first = await authorization(url, { signal });
    const response = await go(first);
    if (!first || !(await isInvalidToken(response))) return response;
    let second: string | undefined;
    try {
      second = await authorization(url, { signal, refused: first });
    } catch (error) {
      if (signal?.aborted) throw error;
    }
    if (!second || second === first || !isReplayable(input, init)) return response;
    response.body?.cancel().catch(() => undefined);
    return go(second);
  }

  return {
    get current() {
      return session;
    },
    session: ({ signal } = {}) => restore(signal),
    authorization,
    fetch: authorizedFetch,

    async login({ username, password }, { signal } = {}) {
      if (cookies && !inBrowser) throw new Error('storage "cookie" needs a browser: choose "memory" elsewhere');
      const { audience, scope } = config;
      const device = cookies ? undefined : store.get("device");
      await tabs.turn(async () => {
        const since = moment();
        const answer = tokens(await post("/v1/login", {
          username,
          password,
          ...(audience && { audience }),
          ...(scope && { scope }),
          ...(device && { device_token: device }),
          ...(cookies && { mode: "cookie" }),
        }, { signal }));
        if (cookies) store.set("ending", undefined);
        keep(answer, since);
      });
      if (!session) throw new JotsmithError("signed out while logging in", "signed_out", 0);
      return session;
    },

    async logout({ everywhere, signal } = {}) {
      if (everywhere || !cookies) await restore(signal);
      const bearer = access?.token;
      const depart = () => {
        const id = session?.id;
        leave("signed-out");
        tabs.send({ is: "out", id } satisfies Message);
      };
      if (everywhere && session) {
        const value = await authorization(issuer, { signal });
        await tabs.turn(async () => { // a renewal meanwhile would find the session expired
          await post("/v1/logout-all", undefined, { signal, bearer: value?.slice("Bearer ".length) });
          depart();
        });
        return;
      }
      if (cookies && inBrowser && !everywhere) store.set("ending", "1");
      depart();
      if (everywhere) return;
      await tabs.turn(async () => {
        if (cookies) {
          if (inBrowser && store.get("ending")) await end(signal);
        } else if (bearer) {
          await post("/v1/logout", undefined, { signal, bearer }).catch((error: unknown) => {
            if (!(error instanceof JotsmithError && error.status === 401)) throw error; // it was over already
          });
        }
      });
    },

    on(event, listener) {
      const all = listeners.get(event) ?? new Set();
      const own = (now: Session | null) => { listener(now); };
      listeners.set(event, all.add(own));
      return () => all.delete(own);
    },

    close() {
      clearTimeout(timer);
      tabs.close();
    },
  };
}
