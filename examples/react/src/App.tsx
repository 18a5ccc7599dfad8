import { useSession } from "@jotsmith/client/react";
import { useEffect, useState } from "react";
import { client } from "./client";
import { Home } from "./Home";
import { Login } from "./Login";
import { NotLoaded, Offline } from "./Messages";

export function App() {
  const { status, session, error, retry } = useSession();
  const farewell = useFarewell();
  return (
    <main>
      <Offline />
      {status === "loading" && <p role="status">One moment …</p>}
      {status === "unavailable" && <NotLoaded error={error} retry={retry} />}
      {status === "signed-out" && <Login notice={farewell} />}
      {session && <Home key={session.id} session={session} />}
    </main>
  );
}

/** Why nobody is logged in any more. */
function useFarewell(): string {
  const [farewell, setFarewell] = useState("");
  useEffect(() => {
    const off = [
      client.on("signed-in", () => { setFarewell(""); }),
      client.on("signed-out", () => { setFarewell("You have logged out."); }),
      client.on("expired", () => { setFarewell("Your session has ended. Please log in again."); }),
    ];
    return () => { for (const stop of off) stop(); };
  }, []);
  return farewell;
}
