import type { ClientConfig } from "./types.js";

/** The two clocks of the browser. One may stop while the machine sleeps, the other may be set. */
export const moment = () => ({ steady: performance.now(), wall: Date.now() });

/** Milliseconds since then, by whichever clock says more: at worst something is renewed early. */
export const elapsed = (since: ReturnType<typeof moment>) =>
  Math.max(performance.now() - since.steady, Date.now() - since.wall);

/** Resolves a URL as fetch does: with the page's base. */
export const resolve = (url: string | URL) =>
  new URL(url, typeof document === "undefined" ? (globalThis.location as Location | undefined)?.href : document.baseURI);

/** The issuer without a slash at its end, and the origins that may be sent tokens. */
export function originsOf({ issuer, apis = [], storage = "cookie" }: ClientConfig): { issuer: string; origins: Set<string> } {
  const faults: string[] = [];
  const origins = new Set<string>();
  const here = (globalThis.location as Location | undefined)?.origin;
  for (const [what, value] of [["issuer", issuer], ...apis.map((api) => ["api", api])] as [string, string][]) {
    if (what === "api" && value === "/" && !here) continue; // a page that is rendered on a server
    try {
      const url = new URL(value, what === "api" ? here : undefined);
      // Beyond loopback everybody in between would read the tokens (RFC 6750 §5.3).
      if (url.protocol !== "https:" && !(url.protocol === "http:" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)))
        faults.push(`${what} ${value}: must be https, or http on loopback`);
      else if (url.username || url.password || url.search || url.hash) faults.push(`${what}: must have no credentials, query or fragment`);
      else if (what === "api" && url.pathname !== "/") faults.push(`${what} ${value}: is an origin, without a path`);
      else origins.add(url.origin);
    } catch {
      faults.push(`${what} ${JSON.stringify(value)}: is no URL`);
    }
  }
  if (!["cookie", "memory", "session-storage", "dangerously-local-storage"].includes(storage)) faults.push(`storage ${storage}: is none`);
  if (faults.length > 0) throw new Error("jotsmith client: " + faults.join("; "));
  return { issuer: issuer.replace(/\/$/, ""), origins };
}

/** What a token says of its holder, unverified: for what to show. */
export function claimsOf(token: string): { sub?: string; roles?: string[] } {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0)))) as object;
  } catch {
    return {};
  }
}

/** The promise, or the signal's reason once it is aborted; what was begun goes on for the others who wait. */
export function until<T>(promise: Promise<T>, signal?: AbortSignal | null): Promise<T> {
  if (!signal) return promise;
  let stop!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => { reject(signal.reason as Error); };
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
  });
  return Promise.race([promise, aborted]).finally(() => { signal.removeEventListener("abort", stop); });
}

/** Whether an API refused the token itself (RFC 6750 §3.1). The body's code says it where CORS hides the challenge. */
export const refusesToken = (challenge: string | null | undefined, code?: unknown): boolean =>
  challenge ? /\berror="?invalid_token\b/.test(challenge) : /^token_(expired|invalid|malformed|revoked)$/.test(String(code));

export async function isInvalidToken(response: Response): Promise<boolean> {
  if (response.status !== 401) return false;
  const challenge = response.headers.get("WWW-Authenticate");
  if (challenge || !response.headers.get("Content-Type")?.startsWith("application/problem+json")) return refusesToken(challenge);
  try {
    return refusesToken(null, ((await response.clone().json()) as { code?: unknown } | null)?.code);
  } catch {
    return false;
  }
}

/** Whether a request can be sent again: not where its body is a stream, which is spent. */
export function isReplayable(input: unknown, init: RequestInit | undefined): boolean {
  const body = init?.body;
  if (body === undefined || body === null) return !(input instanceof Request) || input.body === null || /^(GET|HEAD)$/.test(input.method);
  return typeof body === "string" || ArrayBuffer.isView(body) ||
    [ArrayBuffer, Blob, FormData, URLSearchParams].some((type) => body instanceof type);
}
