// Uses the client in the tabs of Chromium, and prints what came of each step.
// Its one argument is JSON.
import { chromium } from "playwright-core";

const task = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: task.chromium,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
const steps = { seconds: {} };
const said = []; // whatever could have a token in it and must not
const strayed = []; // requests that had one and should not
const refused = []; // renewals, and when
let refreshes = 0;
const began = Date.now();
const token = /eyJ[\w-]{8,}|js[rd]_[\w-]{8,}/;

const watched = async (init) => {
  const context = await browser.newContext({ viewport: { width: 720, height: 480 } });
  context.setDefaultTimeout(15_000);
  if (init) await context.addInitScript(init);
  context.on("console", (m) => said.push("console: " + m.text()));
  context.on("weberror", (e) => said.push("unhandled: " + e.error().stack));
  context.on("request", (r) => {
    said.push("url: " + r.url(), "referrer: " + (r.headers().referer ?? ""));
    if (r.headers().authorization && ![task.issuer, task.api].includes(new URL(r.url()).origin)) strayed.push(r.url());
    if (r.method() === "POST" && r.url() === task.issuer + "/v1/refresh") refreshes++;
  });
  context.on("response", (r) => {
    if (r.url() === task.issuer + "/v1/refresh" && r.status() !== 200) refused.push(`${r.status()} after ${Date.now() - began} ms`);
  });
  return context;
};
const open = async (context, query = "") => {
  const page = await context.newPage();
  await page.goto(task.app + "/" + query);
  await page.waitForSelector("html[data-ready]");
  return page;
};
const soon = (promise, what) => Promise.race([promise, new Promise((_, fail) => { setTimeout(() => fail(new Error(what + ": nothing within 20 s")), 20_000).unref(); })]);
const call = (page, url) => soon(page.evaluate((url) => window.page.call(url), url), "a call");
const logIn = (page) => page.evaluate(([name, word]) => window.page.login(name, word), [task.username, task.password]);
const who = (page) => page.textContent("#who");
const all = (pages, what) => Promise.all(pages.map((p) => what(p)));
const expiry = () => new Promise((done) => setTimeout(done, task.life * 1000 + 200));
const distinct = (list) => [...new Set(list.map((x) => JSON.stringify(x)))].map((x) => JSON.parse(x));
const counted = async (work) => {
  refreshes = 0;
  const answers = distinct(await work());
  return { answers, refreshes };
};
const lap = (name) => {
  steps.seconds[name] = Math.round((Date.now() - began) / 100) / 10;
  console.error(`${name}: ${steps.seconds[name]} s`); // shown where a later step fails
};

try {
  const context = await watched();
  const first = await open(context);
  steps.stranger = { who: await who(first), call: await call(first), wrong: await first.evaluate((name) => window.page.login(name, "not the password"), task.username) };
  await first.fill("#username", task.username);
  await first.fill("#password", task.password);
  await first.click("form button");
  await first.waitForFunction(() => window.page.client.current);
  steps.call = await call(first);
  const id = await who(first);
  if (task.screenshots) await first.screenshot({ path: task.screenshots + "/signed-in.png" });

  steps.script = await first.evaluate(async () => ({
    cookie: document.cookie,
    kept: JSON.stringify([{ ...localStorage }, { ...sessionStorage }, await cookieStore.getAll(), await indexedDB.databases()]),
    client: JSON.stringify(window.page.client),
  }));
  steps.cookies = (await context.cookies()).filter((c) => c.name.endsWith("refresh")).map((c) => [c.httpOnly, c.sameSite, c.path, token.test(c.value)].join(" "));
  await first.evaluate((url) => window.page.client.fetch(url).catch(() => {}), task.stranger + "/");
  lap("log in");

  // Ten tabs: loaded at once, and calling at once when the token has expired.
  const rest = await all(Array(9).fill(), () => open(context));
  const tabs = [first, ...rest];
  steps.tabs = { same: (await all(tabs, who)).every((x) => x === id) };
  await expiry();
  steps.tenAtOnce = await counted(() => all(tabs, (p) => call(p)));
  lap("ten tabs");

  // The same where nothing but the issuer brings them together. Their renewals go
  // out at once: one that two others overtake is a stolen token to the issuer, and
  // with tokens of two seconds on a busy machine that would happen by itself.
  steps.bareLoad = await counted(async () => {
    const same = [];
    for (const p of tabs) {
      await p.goto(task.app + "/?bare");
      await p.waitForSelector("html[data-ready]");
      same.push((await who(p)) === id);
    }
    return same;
  });
  if (!steps.bareLoad.answers.every(Boolean)) throw new Error("tabs without locks were signed out; refused: " + refused.join(", "));
  await expiry();
  const held = [];
  const goOn = () => held.splice(0).forEach((route) => route.continue());
  await context.route(task.issuer + "/v1/refresh", (route) => {
    if (held.push(route) === tabs.length) goOn();
    else setTimeout(goOn, 5000);
  });
  steps.bareAtOnce = await counted(() => all(tabs, (p) => call(p)));
  await context.unroute(task.issuer + "/v1/refresh");
  await all(tabs, async (p) => {
    await p.goto(task.app + "/");
    await p.waitForSelector("html[data-ready]");
  });
  lap("ten bare tabs");

  // One tab's renewal reaches the issuer, and its answer nobody: the tab is closed.
  await expiry();
  const closing = tabs.pop();
  const reached = new Promise((done) => closing.route(task.issuer + "/v1/refresh", async (route) => done((await route.fetch()).status())));
  closing.evaluate(async () => { for (;;) await window.page.call(); }).catch(() => {}); // until it renews
  steps.closed = { reached: await soon(reached, "a renewal") };
  const others = all(tabs, (p) => call(p));
  await new Promise((done) => setTimeout(done, 300));
  await closing.close();
  steps.closed.answers = distinct(await others);
  lap("closed tab");

  await context.setOffline(true);
  await expiry();
  steps.offline = { answers: distinct(await all(tabs.slice(0, 3), (p) => call(p))), same: (await all(tabs, who)).every((x) => x === id) };
  await context.setOffline(false);
  steps.online = distinct(await all(tabs, (p) => call(p)));
  steps.until = distinct((await all(tabs, (p) => p.evaluate(() => window.page.events))).flat());
  lap("offline");

  steps.ends = await first.evaluate(() => window.page.logout());
  await all(tabs, (p) => p.waitForFunction(() => window.page.client.current === null));
  steps.loggedOut = distinct(await all(tabs, (p) => p.evaluate(() => window.page.events.at(-1))));
  await tabs[1].reload();
  await tabs[1].waitForSelector("html[data-ready]");
  steps.afterReload = await who(tabs[1]);
  lap("log-out");

  // Others follow a log-in too; then an operator ends the session.
  steps.again = await logIn(first);
  await all(tabs, (p) => p.waitForFunction((id) => window.page.client.current?.id === id, steps.again.id));
  const post = (path, body, bearer) => fetch(task.issuer + path, { method: body ? "POST" : "DELETE", headers: { "Content-Type": "application/json", ...(bearer && { Authorization: "Bearer " + bearer }) }, ...(body && { body: JSON.stringify(body) }) });
  const admin = await (await post("/v1/login", { username: task.admin, password: task.password, audience: task.issuer + "/v1/admin" })).json();
  steps.operator = (await post("/v1/admin/sessions/" + steps.again.id, undefined, admin.access_token)).status;
  await call(tabs[2], task.issuer + "/v1/me");
  steps.ended = { who: await who(tabs[2]), event: await tabs[2].evaluate(() => window.page.events.at(-1)) };
  await all(tabs, (p) => p.waitForFunction(() => window.page.client.current === null));
  if (task.screenshots) await tabs[2].screenshot({ path: task.screenshots + "/ended.png" });
  steps.errors = (await all(tabs, (p) => p.evaluate(() => window.page.errors))).flat().filter((text) => token.test(text));
  for (const p of tabs) said.push("history: " + p.url() + await p.evaluate(() => JSON.stringify(history.state) + name + document.title));
  await context.close();
  lap("operator");

  // Browsers whose clocks are two hours off.
  steps.clocks = await all([-2, 2], async (hours) => {
    const off = await watched(`{
      const Real = Date, by = ${hours} * 3600_000;
      window.Date = class extends Real {
        constructor(...args) { args.length ? super(...args) : super(Real.now() + by); }
        static now() { return Real.now() + by; }
      };
    }`);
    const page = await open(off);
    await logIn(page);
    const answers = [await call(page)];
    await expiry();
    for (let i = 0; i < 3; i++) answers.push(await call(page));
    const wall = await page.evaluate(() => Date.now());
    await off.close();
    return { off: Math.round((wall - Date.now()) / 3600_000), answers: distinct(answers) };
  });
  lap("clocks");
  steps.said = said.filter((text) => token.test(text) || text.startsWith("unhandled"));
  steps.heard = said.length;
  steps.strayed = strayed;
} finally {
  await browser.close();
}
console.log(JSON.stringify(steps));
