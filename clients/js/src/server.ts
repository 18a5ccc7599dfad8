// For servers: verifies the access tokens of an issuer. It refuses to read a
// token from a URL, a form or a cookie, to take an algorithm or a key from a
// token, and to go on for longer than it was told without knowing revocations.

export { createVerifier, type Log, type Verifier, type VerifierConfig } from "./server/verifier.js";
export { Denied, TokenError, type RefusalCode, type StepUp } from "./server/errors.js";
export { bearerOf, refusal, type Refusal } from "./server/http.js";
export { compile as compileRule, type Rule } from "./server/rules.js";
export type { Claims, Token } from "./server/token.js";
export type { Algorithm } from "./server/keys.js";
