"use client";
import { type ReactNode, createContext, createElement, useCallback, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { Client, Session } from "./types.js";

/** "unavailable": whether somebody is signed in cannot be told, because the issuer does not answer. */
export interface SessionState {
  status: "loading" | "signed-in" | "signed-out" | "unavailable";
  session: Session | null;
  /** Why the issuer does not answer. */
  error: unknown;
  /** Asks again; it is done by itself when the browser is online again. */
  retry: () => void;
  login: Client["login"];
  logout: Client["logout"];
  fetch: Client["fetch"];
}

const Context = createContext<SessionState | null>(null);
const unknown = () => undefined; // what a server renders

/** Restores the client's session and tells it to useSession below. Make the client outside of components, once. */
export function SessionProvider({ client, children }: { client: Client; children?: ReactNode }) {
  const subscribe = useCallback((changed: () => void) => client.on("change", changed), [client]);
  const current = useSyncExternalStore(subscribe, () => client.current, unknown);
  const [error, setError] = useState<unknown>();
  const [tries, setTries] = useState(0);
  const retry = useCallback(() => { setTries((n) => n + 1); }, []);

  useEffect(() => {
    if (client.current !== undefined) return;
    let mounted = true;
    client.session().then(
      () => { if (mounted) setError(undefined); },
      (why: unknown) => { if (mounted) setError(why); },
    );
    addEventListener("online", retry);
    return () => {
      mounted = false;
      removeEventListener("online", retry);
    };
  }, [client, tries, retry]);

  const value = useMemo((): SessionState => ({
    status: current ? "signed-in" : current === null ? "signed-out" : error === undefined ? "loading" : "unavailable",
    session: current ?? null,
    error: current === undefined ? error : undefined,
    retry,
    login: client.login,
    logout: client.logout,
    fetch: client.fetch,
  }), [client, current, error, retry]);
  return createElement(Context.Provider, { value }, children);
}

/** The session of the SessionProvider above. */
export function useSession(): SessionState {
  const state = useContext(Context);
  if (!state) throw new Error("useSession: there is no SessionProvider above");
  return state;
}
