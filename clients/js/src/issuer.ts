/** A refusal of the issuer, or why it could not be asked. Never holds a token. */
export class JotsmithError extends Error {
  override readonly name = "JotsmithError";
  constructor(
    message: string,
    /** As in the server's list of errors; "network" where there was no answer, "bad_answer" where it was none of an issuer. */
    readonly code: string,
    /** The HTTP status; 0 without an answer. */
    readonly status: number,
    /** Finds the line in the server's log. */
    readonly id?: string,
    /** Seconds to wait before trying again. */
    readonly retryAfter?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface TokenAnswer {
  access_token: string;
  expires_in: number;
  session_id: string;
  scope?: string;
  refresh_token?: string;
  device_token?: string;
}

const slow = 15_000;

export type Post = (path: string, body: object | undefined, options?: { signal?: AbortSignal | undefined; bearer?: string | undefined }) => Promise<unknown>;

/** Asks the issuer; redirects are none of its answers. */
export function poster(issuer: string, cookies: boolean, send: typeof fetch): Post {
  return async (path, body, { signal, bearer } = {}) => {
    const limit = new AbortController();
    const stop = () => { limit.abort(signal?.reason); };
    const timer = setTimeout(stop, slow);
    signal?.addEventListener("abort", stop);
    try {
      signal?.throwIfAborted();
      const headers = new Headers();
      if (body) headers.set("Content-Type", "application/json");
      if (bearer) headers.set("Authorization", "Bearer " + bearer);
      const response = await send(issuer + path, {
        method: "POST",
        credentials: cookies ? "include" : "omit",
        redirect: "error",
        cache: "no-store",
        keepalive: true,
        headers,
        signal: limit.signal,
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw refusal(response, text);
      return text && (JSON.parse(text) as unknown);
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof JotsmithError) throw cause;
      if (cause instanceof SyntaxError) throw bad();
      throw new JotsmithError("the issuer cannot be reached", "network", 0, undefined, undefined, { cause });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  };
}

function refusal(response: Response, text: string): JotsmithError {
  let problem: { title?: unknown; code?: unknown; id?: unknown } = {};
  try {
    problem = (JSON.parse(text) ?? {}) as typeof problem;
  } catch {
    // A proxy in between answers in its own way.
  }
  const word = (value: unknown) => (typeof value === "string" ? value : undefined);
  const { status } = response;
  const wait = Number(response.headers.get("Retry-After")) || (status === 429 || status === 503 ? 5 : undefined);
  return new JotsmithError(word(problem.title) ?? `the issuer answered ${status}`, word(problem.code) ?? "bad_answer", status, word(problem.id), wait);
}

const bad = () => new JotsmithError("the issuer's answer cannot be understood", "bad_answer", 200);

export function tokens(answer: unknown): TokenAnswer {
  const got = answer as Partial<TokenAnswer> | null;
  if (typeof got?.access_token !== "string" || typeof got.session_id !== "string" || !(Number(got.expires_in) > 0)) throw bad();
  return got as TokenAnswer;
}
