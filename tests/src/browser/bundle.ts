// Bundles a page as an application would, with vite and nothing configured, and looks at what came out.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type InlineConfig } from "vite";

export interface BundleSize {
  readonly rawBytes: number;
  readonly gzipBytes: number;
}

/** What must not be in a page: Node's modules, stand-ins for them, and code made from text. */
const forbidden: readonly (readonly [RegExp, string])[] = [
  [/["'`]node:[a-z_/]+["'`]/, "an import of node:"],
  [/__vite-browser-external|browser-external/, "a stand-in for a Node module"],
  [/\brequire\(/, "require()"],
  [/Buffer\.prototype|kMaxLength|_isBuffer/, "a stand-in for Buffer"],
  [/\bprocess\.(env|versions|nextTick|platform)/, "process"],
  [/\bnew Function\(|\beval\(/, "code made from text (a Content-Security-Policy forbids it)"],
];

const quiet: InlineConfig = { configFile: false, logLevel: "error" };

/** Bundles the page in `root` (its `index.html`) into `outDir`. */
export async function bundlePage(root: string, outDir: string): Promise<void> {
  await build({ ...quiet, root, base: "./", build: { outDir, emptyOutDir: true } });
}

/** The SDK alone, minified, as pages get it: all that `Millrace` reaches, nothing else. `root` is where `millrace` resolves. */
export async function bundleSdk(root: string, outDir: string): Promise<void> {
  const entry = join(root, "sdk-alone.js");
  await build({
    ...quiet,
    root,
    plugins: [
      {
        name: "sdk-alone",
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? 'export { Millrace } from "millrace";' : undefined),
      },
    ],
    build: {
      outDir,
      emptyOutDir: true,
      rolldownOptions: { input: entry, preserveEntrySignatures: "strict" },
    },
  });
}

async function scripts(folder: string): Promise<{ name: string; text: string }[]> {
  const names = await readdir(folder, { recursive: true });
  return await Promise.all(
    names
      .filter((name) => name.endsWith(".js"))
      .map(async (name) => ({ name, text: await readFile(join(folder, name), "utf8") })),
  );
}

/** What the bundle holds and should not, in words. */
export async function bundleProblems(folder: string): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, text } of await scripts(folder)) {
    for (const [pattern, what] of forbidden) {
      const match = pattern.exec(text);
      if (match !== null) {
        const around = text.slice(Math.max(0, match.index - 40), match.index + 60);
        problems.push(`${name} holds ${what}: ${JSON.stringify(around)}`);
      }
    }
  }
  return problems;
}

export async function bundleSize(folder: string): Promise<BundleSize> {
  const texts = (await scripts(folder)).map(({ text }) => Buffer.from(text));
  return {
    rawBytes: texts.reduce((sum, text) => sum + text.length, 0),
    gzipBytes: texts.reduce((sum, text) => sum + gzipSync(text).length, 0),
  };
}
