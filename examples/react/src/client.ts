import { createClient } from "@jotsmith/client";

export const issuer = import.meta.env.VITE_ISSUER;

/** One for the whole page: it keeps the access token, in memory, and renews it. */
export const client = createClient({
  issuer,
  audience: import.meta.env.VITE_AUDIENCE,
  apis: ["/"],
});
