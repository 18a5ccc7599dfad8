import { JotsmithError } from "@jotsmith/client";
import { client, issuer } from "./client";

export interface Task {
  id: number;
  title: string;
}

export interface Device {
  id: string;
  device?: string;
  address?: string;
  last_used_at: string;
  current: boolean;
}

export interface Person {
  username: string;
  display_name?: string;
}

export const mostDevices = 100;

export const readTasks = (signal: AbortSignal) => get<Task[]>("/tasks", signal);
export const addTask = (title: string) => send("POST", "/tasks", { title });
export const removeTask = (id: number) => send("DELETE", `/tasks/${String(id)}`);

export const readPerson = (signal: AbortSignal) => get<Person>(`${issuer}/v1/me`, signal);
export const readDevices = async (signal: AbortSignal) =>
  (await get<{ sessions: Device[] }>(`${issuer}/v1/sessions?limit=${String(mostDevices)}`, signal)).sessions;
export const endDevice = (id: string) => send("DELETE", `${issuer}/v1/sessions/${encodeURIComponent(id)}`);

class Refusal extends Error {
  constructor(readonly status: number) {
    super(`status ${String(status)}`);
  }
}

async function get<T>(url: string, signal: AbortSignal): Promise<T> {
  return (await (await send("GET", url, undefined, signal)).json()) as T;
}

async function send(method: string, url: string, body?: object, signal?: AbortSignal): Promise<Response> {
  const response = await client.fetch(url, {
    method,
    ...(signal && { signal }),
    ...(body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Refusal(response.status);
  return response;
}

/** What to tell people of an error: what happened, and what they can do. */
export function sayWhy(error: unknown): string {
  if (error instanceof JotsmithError) {
    if (error.code === "invalid_credentials") return "The user name or the password is wrong.";
    if (error.retryAfter) return `The server is busy. Try again in ${String(error.retryAfter)} seconds.`;
    if (error.code === "network") return unreachable();
  }
  if (error instanceof TypeError) return unreachable(); // of fetch
  if (error instanceof Refusal) {
    if (error.status === 403) return "You may look, but not change anything.";
    if (error.status === 404) return "It is gone already.";
    if (error.status === 409) return "There are too many tasks. Finish some first.";
  }
  return "That did not work. Try again shortly.";
}

const unreachable = () =>
  navigator.onLine ? "The server cannot be reached. Try again shortly." : "You are offline. Try again when you are back.";
