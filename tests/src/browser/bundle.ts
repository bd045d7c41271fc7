// Bundles a page as an application would, with vite and nothing configured, and looks at what came out.

import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
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

/** Of the script whose name starts with `entry`: it with what it imports at once, and with what it may load later. */
export async function bundleSize(
  folder: string,
  entry: string,
): Promise<{ readonly first: BundleSize; readonly all: BundleSize }> {
  const all = await scripts(folder);
  const first = new Set(all.filter(({ name }) => basename(name).startsWith(entry)));
  // Grows while it is walked: imports of imports.
  for (const { text } of first) {
    for (const [, imported] of text.matchAll(/\b(?:from|import)\s*["']\.\/([^"']+)["']/g)) {
      for (const script of all.filter(({ name }) => basename(name) === imported)) {
        first.add(script);
      }
    }
  }
  return { first: sizeOf([...first]), all: sizeOf(all) };
}

function sizeOf(all: readonly { readonly text: string }[]): BundleSize {
  const bytes = all.map(({ text }) => Buffer.from(text));
  return {
    rawBytes: bytes.reduce((sum, script) => sum + script.length, 0),
    gzipBytes: bytes.reduce((sum, script) => sum + gzipSync(script).length, 0),
  };
}
