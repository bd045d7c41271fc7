// Checks every publishable package as its users get it: packs it, looks at what the tarball holds, runs
// publint (strict) and attw on it, and compiles all type declarations once with the DOM's types only and once
// with Node's only.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, "node_modules", ".bin", name);
const scratch = mkdtempSync(join(tmpdir(), "millrace-pack-"));

function packages() {
  return ["packages", "apps"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => {
      const path = join(root, folder, name);
      return { path, manifest: JSON.parse(readFileSync(join(path, "package.json"), "utf8")) };
    }),
  );
}

function pack({ path }) {
  const output = execFileSync(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", scratch],
    {
      cwd: path,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  return JSON.parse(output)[0];
}

/** What must be inside, and what must not. */
function contentProblems({ manifest }, tarball) {
  const problems = [];
  const names = tarball.files.map((file) => file.path);
  const forbidden = names.filter((name) =>
    /\.test\.|\.tsbuildinfo$|(^|\/)testdata\/|node_modules|\.tgz$/.test(name),
  );
  if (forbidden.length > 0) {
    problems.push(`holds what it should not: ${forbidden.slice(0, 3).join(", ")}`);
  }
  for (const wanted of [
    "package.json",
    "README.md",
    "LICENSE",
    "dist/index.js",
    "dist/index.d.ts",
  ]) {
    if (!names.includes(wanted)) {
      problems.push(`lacks ${wanted}`);
    }
  }
  for (const target of Object.values(manifest.bin ?? {})) {
    if (!names.includes(target.replace(/^\.\//, ""))) {
      problems.push(`lacks its bin ${target}`);
    }
  }
  return problems;
}

function tool(name, args, options = {}) {
  const result = spawnSync(bin(name), args, { encoding: "utf8", ...options });
  return result.status === 0
    ? []
    : [`${name}: ${(result.stdout + result.stderr).trim().split("\n").slice(-15).join("\n    ")}`];
}

function checkPackage(entry) {
  const tarball = pack(entry);
  const file = join(scratch, tarball.filename);
  const problems = [
    ...contentProblems(entry, tarball),
    ...tool("publint", ["run", file, "--strict"]),
    ...tool("attw", [file, "--profile", "esm-only", "--no-emoji", "--no-color"]),
  ];
  const size = `${(tarball.size / 1024).toFixed(1).padStart(7)} KiB packed, ${String(tarball.files.length).padStart(4)} files`;
  console.log(
    `${problems.length === 0 ? "ok  " : "FAIL"} ${entry.manifest.name.padEnd(28)} ${size}`,
  );
  for (const problem of problems) {
    console.log(`     ${problem}`);
  }
  return problems.length;
}

/** Public types must not lean on a platform that a user may not have. */
function checkDeclarations(entries, { label, compilerOptions, skip }) {
  const lines = [];
  for (const { manifest } of entries) {
    for (const [path, target] of Object.entries(manifest.exports)) {
      const specifier = manifest.name + path.slice(1);
      if (path !== "./package.json" && !skip(manifest.name, path)) {
        lines.push(`export type * as e${lines.length} from "${specifier}";`);
      }
      void target;
    }
  }
  const folder = join(root, "node_modules", ".cache", `millrace-types-${label}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "all.ts"), `${lines.join("\n")}\n`);
  const config = {
    compilerOptions: {
      target: "ES2023",
      module: "NodeNext",
      moduleResolution: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
      ...compilerOptions,
    },
    files: ["all.ts"],
  };
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const problems = tool("tsc", ["-p", join(folder, "tsconfig.json")], { cwd: root });
  console.log(
    `${problems.length === 0 ? "ok  " : "FAIL"} declarations with ${label} only (${lines.length} entries)`,
  );
  for (const problem of problems) {
    console.log(`     ${problem}`);
  }
  return problems.length;
}

const serverOnly = new Set(["@millrace/server", "@millrace/cli", "@millrace/testing"]);
let failures = 0;
try {
  const entries = packages();
  for (const entry of entries) {
    execFileSync(process.execPath, [join(root, "scripts", "prepack.mjs")], {
      cwd: entry.path,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  for (const entry of entries) {
    failures += checkPackage(entry);
  }
  failures += checkDeclarations(entries, {
    label: "dom",
    compilerOptions: { lib: ["ES2023", "ESNext.Disposable", "DOM"], types: [] },
    skip: (name, path) => serverOnly.has(name) || path === "./node",
  });
  failures += checkDeclarations(entries, {
    label: "node",
    compilerOptions: { lib: ["ES2023", "ESNext.Disposable"], types: ["node"] },
    skip: () => false,
  });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(
  failures === 0
    ? `packages: all well (${relative(process.cwd(), root) || "."})`
    : `packages: ${failures} problems`,
);
process.exitCode = failures === 0 ? 0 : 1;
