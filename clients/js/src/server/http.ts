import { randomBytes } from "node:crypto";
import { Denied, TokenError, type RefusalCode } from "./errors.js";

/** The one bearer token of a request (RFC 6750 §2.1), or a TokenError. */
export function bearerOf(
  /** Each Authorization header by itself: Node's `headersDistinct.authorization`, for `headers` drops all but one. */
  authorization: readonly string[] | undefined,
  /** The request's target, or its URL. A token there is never accepted. */
  target = "",
): string {
  if (!authorization || authorization.length === 0) throw new TokenError("token_missing", "no token was sent");
  if (authorization.length > 1) throw new TokenError("invalid_request", `${authorization.length} Authorization headers were sent`);
  const value = authorization[0] ?? "";
  const rest = value.slice(6);
  // credentials = auth-scheme 1*SP token68 (RFC 9110 §11.4); another scheme is another guard's.
  if (value.slice(0, 6).toLowerCase() !== "bearer" || (rest !== "" && !rest.startsWith(" "))) throw new TokenError("token_missing", "no bearer token was sent");
  // Clients must not use more than one method (RFC 6750 §2).
  const query = target.indexOf("?");
  if (query >= 0 && hasToken(target.slice(query + 1))) throw new TokenError("invalid_request", "a token was sent in the query, too");
  const token = rest.replace(/^ +/, "");
  if (token === "") throw new TokenError("token_malformed", "nothing stands behind Bearer");
  return token;
}

// hasToken also finds the name where it is written with escapes.
const hasToken = (query: string) => (query.includes("token") || query.includes("%")) && new URLSearchParams(query).has("access_token");

/** What a caller is told. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** application/problem+json (RFC 9457). */
  readonly body: string;
  /** Finds the line in the log. */
  readonly id: string;
  readonly code: RefusalCode | "internal";
}

const answers: Record<RefusalCode | "internal", [status: number, title: string, error?: string]> = {
  token_missing: [401, "Authorization token is missing."], // RFC 6750 §3.1: no error where no credential was sent
  token_malformed: [401, "Malformed token.", "invalid_token"],
  token_invalid: [401, "Invalid token.", "invalid_token"],
  token_expired: [401, "Token has expired. Please re-authenticate.", "invalid_token"],
  token_revoked: [401, "Token has been revoked.", "invalid_token"],
  insufficient_user_authentication: [401, "Please log in again to do this.", "insufficient_user_authentication"], // RFC 9470 §3
  forbidden: [403, "You do not have permission to do this.", "insufficient_scope"],
  invalid_request: [400, "More than one token was sent.", "invalid_request"],
  keys_unavailable: [503, "Try again shortly."],
  revocation_unavailable: [503, "Try again shortly."],
  internal: [500, "Something went wrong."],
};

/** Makes the answer of a refusal. What is no TokenError is answered 500. */
export function refusal(error: unknown, realm: string): Refusal {
  const code = error instanceof TokenError && Object.hasOwn(answers, error.code) ? error.code : "internal";
  const [status, title, word] = answers[code];
  const id = randomBytes(16).toString("base64url");
  const headers: Record<string, string> = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };
  if (status === 503) headers["Retry-After"] = "5";
  else if (status < 500) headers["WWW-Authenticate"] = challenge(realm, word, error);
  const type = `https://github.com/jotsmith/jotsmith/blob/main/docs/errors.md#${code}`;
  return { status, headers, body: JSON.stringify({ type, title, status, code, id }), id, code };
}

// RFC 6750 §3. No part of it needs escaping: what would is left out.
function challenge(realm: string, word: string | undefined, error: unknown): string {
  let s = `Bearer realm="${realm}"`;
  if (word) s += `, error="${word}"`;
  if (error instanceof Denied) {
    const { stepUp } = error;
    if (error.scope && !stepUp) s += `, scope="${error.scope}"`;
    else if (/^[ !#-[\]-~]{1,300}$/.test(error.rule)) s += `, error_description="needs ${error.rule}"`;
    if (stepUp?.maxAge) s += `, max_age="${stepUp.maxAge}"`;
    if (stepUp?.acr) s += `, acr_values="${stepUp.acr.join(" ")}"`;
  }
  return s;
}
