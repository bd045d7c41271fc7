// The rules of the layout that no linter knows, as one check over the sources: which way imports run
// (dependency-rules.json), what only the runtime may touch, file sizes, leftovers, and dead relative links in
// the documents. `--report` prints sizes too. Exit code 1 when a rule is broken.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Identifiers of the outside world, each with what to use instead. */
const seam = [
  [/\bDate\.now\s*\(|\bnew Date\s*\(\s*\)/, "Date", "Clock.nowMs"],
  [/\bperformance\.now\s*\(/, "performance.now", "Clock.monotonicMs"],
  [/\bMath\.random\s*\(/, "Math.random", "Random"],
  [/(?<![.\w])(setTimeout|setInterval)\s*\(/, "timers", "Clock.setTimer"],
  [/(?<![.\w])setImmediate\s*\(/, "setImmediate", "Clock.defer"],
  [/\bAbortSignal\.timeout\s*\(/, "AbortSignal.timeout", "Clock.setTimer"],
  [/\bnew WebSocket\s*\(/, "WebSocket", "Network"],
  [/(?<![.\w])crypto\.(getRandomValues|randomUUID|randomBytes)/, "crypto", "Random"],
  [/(?<![.\w])process\.\w+/, "process", "an option passed in by an app"],
  [/\bprocess\.exit\s*\(/, "process.exit", "an error that the app turns into an exit code"],
];

export function loadRules() {
  return JSON.parse(readFileSync(join(root, "scripts", "dependency-rules.json"), "utf8"));
}

/** Comments and the contents of strings are not code. Keeps the line count. */
export function stripComments(source) {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/(^|[^:"'`\\])\/\/[^\n]*/g, "$1");
}

export function importsOf(source) {
  const found = [];
  const pattern =
    /(?:^|[\s;])(?:import|export)\s+(?:type\s+)?(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;
  for (const match of stripComments(source).matchAll(pattern)) {
    found.push(match[1] ?? match[2]);
  }
  return found;
}

const packageOf = (specifier) =>
  specifier.startsWith("@") ? specifier.split("/").slice(0, 2).join("/") : specifier.split("/")[0];

/** What one import breaks, in words; undefined when it is fine. */
export function importProblem(rules, owner, specifier, { mayUseNode, isRuntimeNode }) {
  if (specifier.startsWith(".")) {
    return undefined;
  }
  if (specifier.startsWith("node:")) {
    return mayUseNode || isRuntimeNode
      ? undefined
      : `${specifier}: only the runtime, the apps and the CLI use node:`;
  }
  if ((specifier === "ws" || specifier.startsWith("ws/")) && !isRuntimeNode) {
    return "ws: only @millrace/runtime/node uses it";
  }
  const target = packageOf(specifier);
  const floor = rules.floors[target];
  if (floor === undefined || target === owner) {
    return target === owner ? `${specifier}: a package does not import itself by name` : undefined;
  }
  if (rules.neverImportedBy[owner]?.includes(target)) {
    return `${owner} stays light: it never imports ${target}`;
  }
  if (floor >= rules.floors[owner]) {
    return `${owner} (floor ${rules.floors[owner]}) imports ${target} (floor ${floor}); imports only point to a lower floor`;
  }
  const subPath = specifier.slice(target.length);
  if (subPath !== "" && target !== "@millrace/runtime") {
    return `${specifier}: packages meet only through their public entry`;
  }
  return undefined;
}

function* files(folder, ending) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!["node_modules", "dist", ".turbo", ".git", "testdata", "vectors"].includes(entry.name)) {
        yield* files(path, ending);
      }
    } else if (ending.test(entry.name)) {
      yield path;
    }
  }
}

function workspaceFolders() {
  return ["packages", "apps"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(root, folder, name)),
  );
}

function checkSource(rules, owner, folder, path) {
  const problems = [];
  const text = readFileSync(path, "utf8");
  const inside = relative(join(folder, "src"), path);
  const isTest = /\.test\.ts$/.test(path) || /^(contract|test-support)\b/.test(inside);
  const mayUseNode = rules.mayUseNode.includes(owner);
  const isRuntime = owner === "@millrace/runtime";
  const isPlatform = isRuntime && /^(node|sim|browser)\//.test(inside);
  const isRuntimeNode = isRuntime && rules.runtimeFoldersWithNode.includes(inside.split("/")[0]);
  if (!isTest) {
    for (const specifier of importsOf(text)) {
      const problem = importProblem(rules, owner, specifier, { mayUseNode, isRuntimeNode });
      if (problem !== undefined) {
        problems.push(problem);
      }
    }
    if (!isPlatform && !mayUseNode) {
      const code = stripComments(text);
      for (const [pattern, name, instead] of seam) {
        if (pattern.test(code)) {
          problems.push(`${name}: use ${instead} of @millrace/runtime`);
        }
      }
    }
    if (/\bexport\s+\*/.test(stripComments(text))) {
      problems.push("export *: list the names");
    }
  }
  if (/\b(TODO|FIXME|XXX)\b/.test(text)) {
    problems.push("a leftover note (TODO, FIXME): do it, or file an issue");
  }
  const lines = text.split("\n").length;
  const limit =
    rules.fileLinesAllowed[relative(root, path)]?.lines ?? (isTest ? 600 : rules.fileLines.limit);
  if (lines > limit) {
    problems.push(`${lines} lines; the limit is ${limit}`);
  }
  return { problems, lines, isTest };
}

/** Every floor name that exists must be in the table, and every dependency of a package.json on a lower floor. */
function checkManifest(rules, folder) {
  const problems = [];
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const floor = rules.floors[manifest.name];
  if (floor === undefined) {
    problems.push(`${manifest.name} is missing in scripts/dependency-rules.json`);
  }
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (rules.floors[name] !== undefined && rules.floors[name] >= floor) {
      problems.push(`package.json: depends on ${name}, which is not on a lower floor`);
    }
    if (rules.neverImportedBy[manifest.name]?.includes(name)) {
      problems.push(`package.json: ${manifest.name} never depends on ${name}`);
    }
  }
  const scripts = Object.keys(manifest.scripts ?? {}).filter((name) =>
    /^(pre|post)?install$/.test(name),
  );
  if (scripts.length > 0) {
    problems.push(`package.json: install scripts are not allowed (${scripts.join(", ")})`);
  }
  return { name: manifest.name, problems };
}

function checkLinks() {
  const problems = [];
  for (const path of files(root, /\.md$/)) {
    const text = readFileSync(path, "utf8").replace(/```[\s\S]*?```/g, "");
    for (const match of text.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)/g)) {
      if (!existsSync(resolve(dirname(path), match[1]))) {
        problems.push(`${relative(root, path)}: dead link ${match[1]}`);
      }
    }
  }
  return problems;
}

function main(report) {
  const rules = loadRules();
  const problems = [];
  const sizes = [];
  for (const folder of workspaceFolders()) {
    const manifest = checkManifest(rules, folder);
    problems.push(...manifest.problems.map((problem) => `${relative(root, folder)}: ${problem}`));
    for (const path of files(join(folder, "src"), /\.ts$/)) {
      const checked = checkSource(rules, manifest.name, folder, path);
      problems.push(...checked.problems.map((problem) => `${relative(root, path)}: ${problem}`));
      sizes.push({ path: relative(root, path), package: manifest.name, ...checked });
    }
  }
  problems.push(...checkLinks());
  printSizes(sizes, report);
  for (const problem of problems) {
    console.error(`tidy: ${problem}`);
  }
  console.log(
    problems.length === 0 ? "tidy: nothing to complain about" : `tidy: ${problems.length} problems`,
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function printSizes(sizes, isFull) {
  const rows = new Map();
  for (const { package: name, lines, isTest } of sizes) {
    const row = rows.get(name) ?? { files: 0, lines: [], testFiles: 0, testLines: 0 };
    if (isTest) {
      row.testFiles++;
      row.testLines += lines;
    } else {
      row.files++;
      row.lines.push(lines);
    }
    rows.set(name, row);
  }
  console.log("package                     files  lines median    max | test files  lines");
  for (const [name, row] of rows) {
    const sorted = row.lines.sort((a, b) => a - b);
    const cells = [
      name.padEnd(26),
      String(row.files).padStart(6),
      String(sorted.reduce((sum, value) => sum + value, 0)).padStart(6),
      String(sorted[sorted.length >> 1] ?? 0).padStart(6),
      String(sorted.at(-1) ?? 0).padStart(6),
      "|",
      String(row.testFiles).padStart(10),
      String(row.testLines).padStart(6),
    ];
    console.log(cells.join(" "));
  }
  if (isFull) {
    for (const { path, lines } of sizes
      .filter((size) => size.lines > 300)
      .sort((a, b) => b.lines - a.lines)) {
      console.log(`${String(lines).padStart(5)} ${path}`);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main(process.argv.includes("--report"));
}
