/** What a caller is told of a refusal: docs/errors.md. */
export type RefusalCode =
  | "token_missing" | "token_malformed" | "token_invalid" | "token_expired" | "token_revoked"
  | "insufficient_user_authentication" | "forbidden" | "invalid_request" | "keys_unavailable" | "revocation_unavailable";

/**
 * Why a token or a request was refused. The message is the true reason, for logs:
 * callers are told the code alone. It never holds any part of a token.
 */
export class TokenError extends Error {
  override readonly name: string = "TokenError";
  constructor(readonly code: RefusalCode, reason: string, options?: ErrorOptions) {
    super(reason, options);
  }
}

/** The log-in that would be enough (RFC 9470 §3). */
export interface StepUp {
  /** Seconds since it, at most. */
  readonly maxAge?: number;
  /** Its class: one of these, the preferred one first. */
  readonly acr?: readonly string[];
}

/** A good token whose rights, or whose log-in, are not enough. Its holder is told what was demanded. */
export class Denied extends TokenError {
  override readonly name = "Denied";
  constructor(
    /** What was demanded. */
    readonly rule: string,
    /** Space separated scopes that would have been enough, or empty. */
    readonly scope: string,
    /** The new log-in that would be enough; undefined where none would. */
    readonly stepUp?: StepUp,
  ) {
    super(stepUp ? "insufficient_user_authentication" : "forbidden", "needs " + rule);
  }
}
