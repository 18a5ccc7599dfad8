import { type Plugin, defineConfig, loadEnv } from "vite";

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, import.meta.dirname, "");
  const issuer = env["VITE_ISSUER"] ?? "";
  const policy = contentSecurityPolicy(issuer);
  // The API is called by the page's own origin, so that it needs no CORS.
  const proxy = { "/tasks": env["API"] ?? "" };
  const where = { host: "127.0.0.1", port: 5173, strictPort: true, proxy };
  return {
    plugins: [policyInPage(policy)],
    // @jotsmith/client is a link to a folder with a React of its own, for its tests.
    resolve: { dedupe: ["react"] },
    build: {
      assetsInlineLimit: 0, // data: URLs are not of 'self'
      modulePreload: { polyfill: false },
      // "use client" is said to servers that render React, and there is none here.
      rollupOptions: { onwarn: (warning, warn) => { if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning); } },
    },
    server: where,
    preview: {
      ...where,
      headers: {
        "Content-Security-Policy": `${policy}; frame-ancestors 'none'`,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
      },
    },
  };
});

/** Our own files, requests to ourselves and the issuer, and no script or markup made out of text. */
function contentSecurityPolicy(issuer: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${issuer}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/** Writes the policy into the built page too, for servers that send no headers. */
function policyInPage(content: string): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content }, injectTo: "head-prepend" },
    ],
  };
}
