/** An answer that was none: its status, and how long it asks to wait, in seconds. */
export class StatusError extends Error {
  constructor(readonly status: number, readonly retryAfter: number) {
    super(`answered ${status}`);
  }
}

export interface Answer {
  body: Buffer; // empty when not modified
  notModified: boolean;
  headers: Headers;
}

/** Whether tokens and keys may come from there: https, or http on loopback. */
export function checkUrl(url: string): URL {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error(`${JSON.stringify(url)} is no URL`);
  }
  if (parsed.protocol !== "https:" && !(parsed.protocol === "http:" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(parsed.hostname)))
    throw new Error(`${url} must be https, or http on loopback`);
  if (parsed.username || parsed.password || parsed.search || parsed.hash) throw new Error("must have no credentials, query or fragment");
  return parsed;
}

/** Gets one document of a bounded size in a bounded time (seconds), and follows no redirect. */
export async function get(
  send: typeof fetch, url: string, types: string[], { maxSize, timeout, etag, signal }: { maxSize: number; timeout: number; etag?: string | undefined; signal: AbortSignal },
): Promise<Answer> {
  // AbortSignal.any would keep each of its signals as long as the oldest lives.
  const limit = new AbortController();
  const stop = () => { limit.abort(new Error("closed")); };
  const timer = setTimeout(() => { limit.abort(new Error(`no answer within ${timeout} s`)); }, timeout * 1000);
  timer.unref();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const response = await send(url, {
      redirect: "error", cache: "no-store", credentials: "omit", signal: limit.signal,
      headers: { Accept: types.join(", "), ...(etag && { "If-None-Match": etag }) },
    });
    const { status, headers } = response;
    if (status === 304 && etag) return { body: Buffer.alloc(0), notModified: true, headers };
    if (status !== 200) {
      await response.body?.cancel();
      throw new StatusError(status, Math.max(0, Number(headers.get("Retry-After")) || 0));
    }
    const type = (headers.get("Content-Type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
    if (!types.includes(type ?? "")) throw new Error(`the answer's type is ${JSON.stringify(type)}, not ${types.join(" or ")}`);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      if ((size += part.length) > maxSize) throw new Error(`the answer has over ${maxSize} bytes`);
      parts.push(part);
    }
    return { body: Buffer.concat(parts), notModified: false, headers };
  } catch (cause) {
    limit.abort();
    if (cause instanceof StatusError) throw cause;
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new Error(`${url}: ${(reason as Error).message}`, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** Resolves after so many seconds, or when aborted. */
export function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, seconds) * 1000);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

/** Half of it, and up to the other half: those that were cut off together must not come back together. */
export const spread = (seconds: number) => seconds / 2 + (Math.random() * seconds) / 2;

/** Seconds that only go forward. */
export const steady = () => performance.now() / 1000;
