// Bundles the tests of the React hook with React 18, for vitest to run beside those with the current one.
import { buildSync } from "esbuild";

buildSync({
  entryPoints: ["test/react.test.ts"], outfile: "test/.react18/react.test.mjs", bundle: true, format: "esm", platform: "node",
  alias: { react: "react-18", "react-dom": "react-dom-18" }, external: ["vitest"], logLevel: "error",
  banner: { js: '// @vitest-environment happy-dom\nimport { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
});
