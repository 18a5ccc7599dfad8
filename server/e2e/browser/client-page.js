// A page on the client: its buttons do what client.mjs presses, and tell what came of it.
const query = new URLSearchParams(location.search);
if (query.has("bare")) {
  // a browser that has neither
  Object.defineProperty(navigator, "locks", { value: undefined });
  delete window.BroadcastChannel;
}
const { createClient } = await import("/client.js");
const { issuer, api } = await (await fetch("/config.json")).json();
const client = createClient({ issuer, apis: [api], storage: query.get("storage") ?? "cookie" });

const $ = (id) => document.getElementById(id);
const events = [];
const errors = []; // all that an app could log of them
const show = () => {
  $("who").textContent = client.current === undefined ? "unknown" : client.current?.id ?? "nobody";
  $("events").textContent = events.join(" ");
};
for (const event of ["signed-in", "signed-out", "expired"])
  client.on(event, () => {
    events.push(event);
    show();
  });
client.on("change", show);

const failed = (error) => {
  errors.push(String(error), error.stack, JSON.stringify(error), String(error.cause));
  return { code: error.code, status: error.status };
};
const tell = (result) => {
  $("last").textContent = JSON.stringify(result);
  return result;
};

window.page = {
  client, events, errors, issuer,
  call: (url = api) => client.fetch(url).then(async (r) => tell({ status: r.status, code: (await r.json()).code }), (e) => tell(failed(e))),
  login: (username, password) => client.login({ username, password }).then(({ id }) => tell({ id }), (e) => tell(failed(e))),
  logout: () => client.logout().then(() => tell({}), (e) => tell(failed(e))),
};
document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  page.login($("username").value, $("password").value);
};
$("call").onclick = () => page.call();
$("logout").onclick = () => page.logout();
await client.session().catch(failed);
show();
document.documentElement.dataset.ready = "";
