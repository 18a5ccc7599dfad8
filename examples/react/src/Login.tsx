import { useSession } from "@jotsmith/client/react";
import { type SyntheticEvent, useRef } from "react";
import { Fault } from "./Messages";
import { useAct } from "./useAct";

export function Login({ notice }: { notice: string }) {
  const { login } = useSession();
  const { busy, fault, act } = useAct();
  const password = useRef<HTMLInputElement>(null);

  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    act(async () => {
      try {
        await login({ username: fields.get("username") as string, password: fields.get("password") as string });
      } catch (error) {
        password.current?.select();
        throw error;
      }
    });
  };

  return (
    <form className="login" onSubmit={submit}>
      <h1>Tasks</h1>
      <p role="status">{notice}</p>
      <label htmlFor="username">User name</label>
      <input id="username" name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus />
      <label htmlFor="password">Password</label>
      <input id="password" name="password" type="password" autoComplete="current-password" required ref={password} />
      <Fault text={fault} />
      <button aria-disabled={busy}>{busy ? "Logging in …" : "Log in"}</button>
    </form>
  );
}
