import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["test/**/*.test.ts", "test/.react18/*.test.mjs"], dangerouslyIgnoreUnhandledErrors: false, mockReset: true, testTimeout: 20_000 },
});
