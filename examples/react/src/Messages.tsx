import { useSyncExternalStore } from "react";
import { sayWhy } from "./api";

/** A live region: it is always there, so that screen readers tell when its text changes. */
export function Fault({ text }: { text: string }) {
  return <p className="fault" role="alert">{text}</p>;
}

/** Instead of what could not be loaded. */
export function NotLoaded({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <div className="missing">
      <Fault text={sayWhy(error)} />
      <button type="button" className="quiet" onClick={retry}>Try again</button>
    </div>
  );
}

export function Offline() {
  const online = useSyncExternalStore(subscribe, () => navigator.onLine);
  return <p className="offline" role="status">{online ? "" : "You are offline. What you see may be old, and nothing can be changed."}</p>;
}

function subscribe(changed: () => void) {
  addEventListener("online", changed);
  addEventListener("offline", changed);
  return () => {
    removeEventListener("online", changed);
    removeEventListener("offline", changed);
  };
}
