import type { Session } from "@jotsmith/client";
import { useSession } from "@jotsmith/client/react";
import { useEffect, useRef } from "react";
import { readPerson } from "./api";
import { Devices } from "./Devices";
import { Fault } from "./Messages";
import { Tasks } from "./Tasks";
import { useAct } from "./useAct";
import { useLoaded } from "./useLoaded";

/** What whoever is logged in sees. */
export function Home({ session }: { session: Session }) {
  const { logout } = useSession();
  const { data: person } = useLoaded(readPerson);
  const { busy, fault, act } = useAct();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => { heading.current?.focus(); }, []);

  return (
    <>
      <header>
        <h1 ref={heading} tabIndex={-1}>Tasks</h1>
        <p className="who">{person && `${person.display_name ?? person.username}, ${session.roles.join(" and ")}`}</p>
        <button type="button" className="quiet" aria-disabled={busy} onClick={() => { act(() => logout()); }}>Log out</button>
      </header>
      <Fault text={fault} />
      <Tasks mayWrite={session.roles.includes("editor")} />
      <Devices />
    </>
  );
}
