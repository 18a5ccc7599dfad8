import { useCallback, useEffect, useState } from "react";

/** What load answered last, why it failed, and a way to ask again. It asks again by itself when the browser is back online. */
export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  reload: () => Promise<void>;
}

/** Calls load, which must be the same function at each render, and again at reload. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [data, setData] = useState<T>();
  const [error, setError] = useState<unknown>();

  const reload = useCallback(async (signal = new AbortController().signal) => {
    try {
      const answer = await load(signal);
      if (signal.aborted) return;
      setData(() => answer);
      setError(undefined);
    } catch (why) {
      if (!signal.aborted) setError(why);
    }
  }, [load]);

  useEffect(() => {
    const gone = new AbortController();
    const again = () => { void reload(gone.signal); };
    again();
    addEventListener("online", again);
    return () => {
      gone.abort();
      removeEventListener("online", again);
    };
  }, [reload]);

  return { data, error, reload };
}
