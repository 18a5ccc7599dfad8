/**
 * The browser core: log in, stay logged in, call APIs. It holds no token where
 * a script of another origin can reach it, and sends none to an origin that was
 * not named. What judges tokens is not here: that is the server's part.
 */
export { createClient } from "./client.js";
export type { AuthorizationOptions, Client, ClientConfig, ClientEvent, Credentials, Session } from "./types.js";
export type { StorageKind } from "./store.js";
export { JotsmithError } from "./issuer.js";
export { stepUp, type StepUp } from "./stepup.js";
