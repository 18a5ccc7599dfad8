import axios, { AxiosError } from "axios";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { attach } from "../src/axios.js";
import { createClient } from "../src/index.js";
import { Script, api, invalid, issuer, problem } from "./issuer.js";

let script: Script;
beforeEach(() => {
  script = new Script();
  vi.stubGlobal("fetch", script.fetch);
});
afterEach(() => vi.unstubAllGlobals());

const start = async () => {
  const client = createClient({ issuer, apis: [api], storage: "memory", fetch: script.fetch });
  await client.login({ username: "ada", password: "correct horse" });
  const instance = axios.create({ baseURL: api, adapter: "fetch", env: { fetch: script.fetch } });
  return { client, instance, undo: attach(instance, client) };
};

test("sends the token to the API and to nobody else", async () => {
  const { instance, undo } = await start();
  await instance.get("/tasks");
  expect(script.calls.at(-1)?.authorization).toBe(`Bearer ${script.access()}`);
  await instance.get("https://evil.net/").catch(() => undefined);
  expect(script.calls.at(-1)).toMatchObject({ url: "https://evil.net/", authorization: null });
  undo();
  await instance.get("/tasks").catch(() => undefined);
  expect(script.calls.at(-1)?.authorization).toBeNull();
});

test("renews once after invalid_token and sends the same again", async () => {
  const { instance } = await start();
  script.answer("/tasks", invalid());
  expect((await instance.post("/tasks", { title: "x" })).status).toBe(200);
  expect(script.calls.at(-1)).toMatchObject({ body: { title: "x" }, authorization: `Bearer ${script.access(2)}` });
});

test("RFR-13 does not renew where a new log-in is wanted", async () => {
  const { instance } = await start();
  script.answer("/tasks", problem(401, "insufficient_user_authentication", { "WWW-Authenticate": 'Bearer error="insufficient_user_authentication", max_age="300"' }));
  const error = (await instance.get("/tasks").catch((e: unknown) => e)) as AxiosError<{ code: string }>;
  expect(error.response?.data.code).toBe("insufficient_user_authentication");
  expect(script.count("/v1/refresh")).toBe(0);
  expect(script.count("/tasks")).toBe(1);
});

test("makes no loop, and errors hold no token", async () => {
  const { instance } = await start();
  script.good = new Set();
  for (let i = 0; i < 3; i++) {
    const error = await instance.get("/tasks").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AxiosError);
    expect(JSON.stringify(error)).not.toMatch(/eyJ/);
    expect((error as AxiosError).response?.status).toBe(401);
  }
  expect(script.count("/v1/refresh")).toBe(1);
});

test("a stream is not sent again", async () => {
  const { instance } = await start();
  script.answer("/tasks", invalid());
  await expect(instance.post("/tasks", new Blob(["x"]).stream())).rejects.toBeInstanceOf(AxiosError);
  expect(script.count("/tasks")).toBe(1);
});
