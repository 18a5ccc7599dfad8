// @vitest-environment happy-dom
import { StrictMode, act, createElement, version } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClient } from "../src/index.js";
import { SessionProvider, useSession } from "../src/react.js";
import { Script, issuer, over } from "./issuer.js";

let script: Script;
let page: HTMLElement;
let unmount: (() => void) | undefined;
beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("BroadcastChannel", undefined);
  script = new Script();
  page = document.createElement("div");
});
afterEach(() => {
  act(() => { unmount?.(); });
  vi.unstubAllGlobals();
});

const ada = { username: "ada", password: "correct horse" };
const Shown = () => {
  const { status, session } = useSession();
  return createElement("p", null, `${status} ${session?.id ?? ""}`);
};
const client = () => createClient({ issuer, fetch: script.fetch });
const tree = (of: ReturnType<typeof client>) => createElement(StrictMode, null, createElement(SessionProvider, { client: of }, createElement(Shown)));
const render = async (of = client()) => {
  const root = createRoot(page);
  unmount = () => { root.unmount(); };
  await act(async () => {
    root.render(tree(of));
    await new Promise((done) => setTimeout(done, 20));
  });
  return of;
};

test(`React ${version}: restores once, in StrictMode too`, async () => {
  await render();
  expect(page.textContent).toBe("signed-in ses_1");
  expect(script.count("/v1/refresh")).toBe(1);
});

test("follows log-in and log-out", async () => {
  script.answer("/v1/refresh", over());
  const of = await render();
  expect(page.textContent).toBe("signed-out ");
  await act(async () => { await of.login(ada); });
  expect(page.textContent).toBe("signed-in ses_1");
  await act(async () => { await of.logout(); });
  expect(page.textContent).toBe("signed-out ");
});

test("says that nobody knows, and asks again when online", async () => {
  script.answer("/v1/refresh", new TypeError("Failed to fetch"));
  await render();
  expect(page.textContent).toBe("unavailable ");
  await act(async () => {
    dispatchEvent(new Event("online"));
    await new Promise((done) => setTimeout(done, 20));
  });
  expect(page.textContent).toBe("signed-in ses_1");
});

test("a server renders loading and asks nothing", () => {
  expect(renderToString(tree(client()))).toContain("loading");
  expect(script.calls).toHaveLength(0);
});

test("without a provider it says so", () => {
  expect(() => renderToString(createElement(Shown))).toThrow(/no SessionProvider/);
});
