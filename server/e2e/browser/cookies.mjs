// Logs in by cookie in Chromium, as an app's page and as a stranger's, and
// prints what came of each step. Its one argument is JSON.
import { chromium } from "playwright-core";

const task = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: task.chromium,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
const steps = {};
try {
  const context = await browser.newContext({ viewport: { width: 720, height: 560 } });
  context.setDefaultTimeout(15_000);

  const open = async (url) => {
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForSelector("html[data-ready]");
    return page;
  };
  const out = async (page, button) => {
    await page.evaluate(() => { document.getElementById("out").textContent = ""; });
    await page.click(button);
    await page.waitForFunction(() => document.getElementById("out").textContent !== "");
    return JSON.parse(await page.textContent("#out"));
  };
  const logIn = async (page) => {
    await page.fill("#username", task.username);
    await page.fill("#password", task.password);
    return out(page, "#login button");
  };
  const kept = async () => (await context.cookies([task.issuer + "/v1/refresh"]))
    .map(({ name, path, httpOnly, secure, sameSite, expires }) => ({ name, path, httpOnly, secure, sameSite, lasts: expires > 0 }))
    .sort((a, b) => a.name.localeCompare(b.name));

  // A stranger's page tries all that a page can do to another origin.
  const strange = async (url) => {
    const page = await open(url);
    const tried = { login: await logIn(page), refresh: await out(page, "#refresh"), logout: await out(page, "#logout") };
    // These arrive, cookies and all; that they change nothing is seen from what the app can still do.
    await page.evaluate(async (issuer) => {
      for (const path of ["/v1/refresh", "/v1/refresh/end"])
        for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
          await fetch(issuer + path, { method: "POST", mode: "no-cors", credentials: "include", headers: { "Content-Type": type }, body: "{}" }).catch(() => {});
        }
    }, task.issuer);
    await page.close();
    return tried;
  };

  steps.strangerBefore = await strange(task.stranger);
  steps.keptByStranger = await kept();

  const app = await open(task.app);
  steps.login = await logIn(app);
  steps.kept = await kept();
  steps.script = await app.evaluate(async (issuer) => {
    const r = await fetch(issuer + "/v1/refresh", { method: "POST", credentials: "include", headers: { "Content-Type": "application/json" }, body: "{}" });
    return {
      cookie: document.cookie, setCookie: r.headers.get("Set-Cookie"), body: (await r.text()).includes("jsr_"),
      stored: localStorage.length + sessionStorage.length + (await cookieStore.getAll()).length,
    };
  }, task.issuer);
  steps.call = await out(app, "#call");
  if (task.screenshot) await app.screenshot({ path: task.screenshot });
  for (let i = 0; i < 60; i++) {
    steps.expired = await out(app, "#call");
    if (steps.expired.status !== 200) break;
    await app.waitForTimeout(250);
  }
  steps.refresh = await out(app, "#refresh");
  steps.callAgain = await out(app, "#call");

  steps.stranger = await strange(task.stranger);
  steps.otherSite = await strange(task.otherSite);

  await app.reload();
  await app.waitForSelector("html[data-ready]");
  steps.refreshAfterReload = await out(app, "#refresh");
  steps.logout = await out(app, "#logout");
  steps.keptAfter = await kept();
  steps.refreshAfter = await out(app, "#refresh");
} finally {
  await browser.close();
}
console.log(JSON.stringify(steps));
