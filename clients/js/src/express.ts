// Middleware for Express 4 and 5, and for whatever else hands on Node's own
// requests and answers. It imports nothing of Express.

import type { IncomingMessage, ServerResponse } from "node:http";
import { bearerOf, refusal } from "./server/http.js";
import { compile, type Rule } from "./server/rules.js";
import type { Token } from "./server/token.js";
import { createVerifier, type Verifier, type VerifierConfig } from "./server/verifier.js";

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- it is how Express's requests are extended
  namespace Express {
    interface Request {
      /** The verified token of a route that is guarded. */
      token?: Token;
    }
  }
}

type Handler = (request: IncomingMessage & { token?: Token; originalUrl?: string }, response: ServerResponse, next: (error?: unknown) => void) => void;

export interface Guard {
  /**
   * Lets requests pass that carry a good token and satisfy the rule; the others
   * are answered. Without a rule any good token passes. The token is `req.token`.
   */
  require(rule?: Rule): Handler;
  readonly verifier: Verifier;
}

/** Guards routes by the tokens of an issuer, or by a verifier that stands already. */
export function createGuard(config: VerifierConfig | { verifier: Verifier }): Guard {
  const verifier = "verifier" in config ? config.verifier : createVerifier(config);
  const check = async (request: Parameters<Handler>[0], demand: ReturnType<typeof compile>): Promise<Token> => {
    const token = await verifier.verify(bearerOf(request.headersDistinct.authorization, request.originalUrl ?? request.url));
    const denied = demand(token);
    if (denied) throw denied;
    return token;
  };
  const refuse = (request: Parameters<Handler>[0], response: ServerResponse, error: unknown) => {
    const { status, headers, body, id, code } = refusal(error, verifier.audience);
    // Neither path nor query: people put tokens into both.
    verifier.log(status >= 500 ? "warn" : "info", "request refused", { id, code, reason: (error as Error).message, remote: request.socket.remoteAddress });
    response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
  };
  return {
    verifier,
    require: (rule = {}) => {
      const demand = compile(rule);
      return (request, response, next) => {
        check(request, demand).then(
          (token) => {
            request.token = token;
            return true;
          },
          (error: unknown) => {
            refuse(request, response, error);
            return false;
          },
        ).then((passed) => {
          if (passed) next();
        }).catch(next);
      };
    },
  };
}
