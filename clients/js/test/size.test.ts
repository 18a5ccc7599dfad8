import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { expect, test } from "vitest";

// What a page loads, as bundlers make it.
test("the browser core is under 5 KB compressed, and has no dependencies", () => {
  const { outputFiles, metafile } = buildSync({
    entryPoints: ["src/index.ts"], bundle: true, minify: true, format: "esm", target: "es2022", write: false, metafile: true, outdir: "x",
  });
  expect(Object.keys(metafile.inputs).every((file) => file.startsWith("src/"))).toBe(true);
  const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
  process.stdout.write(`browser core, bundled, minified and compressed: ${size} bytes\n`);
  expect(size).toBeLessThan(5_000);
});
