import type { StorageKind } from "./store.js";

export interface ClientConfig {
  /** The token server's URL, as its tokens say it: https, or http on loopback. */
  issuer: string;
  /** Origins beside the issuer's that are sent the access token; "/" is the page's own. */
  apis?: readonly string[];
  /** Where the refresh token is kept; "cookie" unless said. The access token is in memory, whatever this says. */
  storage?: StorageKind;
  /** The API that tokens are for; the issuer's default unless said. */
  audience?: string;
  /** Space separated; all that the account may have unless said. */
  scope?: string;
  /** What sends requests; the global fetch unless said. */
  fetch?: typeof fetch;
}

export interface Credentials {
  username: string;
  password: string;
}

/** Who is signed in. For what to show: what may be done is decided by the API. */
export interface Session {
  readonly id: string;
  /** The account's id and roles, where the access token can be read: it cannot where it is opaque or encrypted. */
  readonly subject: string | undefined;
  readonly roles: readonly string[];
  readonly scope: readonly string[];
}

/**
 * "signed-in": by log-in, at the page's load or in another tab.
 * "signed-out": by log-out, here or in another tab.
 * "expired": the issuer says that the session is over.
 * "change": `current` is another than before, for whatever reason.
 */
export type ClientEvent = "signed-in" | "signed-out" | "expired" | "change";

export interface AuthorizationOptions {
  signal?: AbortSignal | null | undefined;
  /** What this answered before and the API refused as `invalid_token`: it is renewed, once. */
  refused?: string;
}

export interface Client {
  /** Starts a session. Rejects with a JotsmithError, `code` "invalid_credentials" for a wrong name or password. */
  readonly login: (credentials: Credentials, options?: { signal?: AbortSignal }) => Promise<Session>;
  /**
   * Ends the session, here and in all tabs at once, or with `everywhere` all
   * sessions of the account. Where the issuer cannot be reached it rejects, and
   * the tabs are signed out all the same (with `everywhere` they are not).
   */
  readonly logout: (options?: { everywhere?: boolean; signal?: AbortSignal }) => Promise<void>;
  /** fetch, with the access token for the issuer and the APIs that were named. */
  readonly fetch: (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;
  /** Who is signed in, after restoring the session where a page was loaded anew; null is nobody. */
  readonly session: (options?: { signal?: AbortSignal }) => Promise<Session | null>;
  /** What session() answered last, without asking; undefined until it is known. */
  readonly current: Session | null | undefined;
  /** Calls the listener at each event, after all locks are released, until the answered function is called. */
  readonly on: (event: ClientEvent, listener: (session: Session | null) => void) => () => void;
  /** The value of Authorization for a request to url, for other libraries than fetch; undefined where none is to be sent. */
  readonly authorization: (url: string | URL, options?: AuthorizationOptions) => Promise<string | undefined>;
  /** Stops timers and messages between tabs. The session goes on. */
  readonly close: () => void;
}
