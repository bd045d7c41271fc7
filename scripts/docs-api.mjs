// npm run docs:api
//
// Writes the reference of the public packages to docs/api (Markdown, made from the docstrings), and fails when
// a public name of theirs has no docstring, or a link in one leads nowhere.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, ReflectionKind } from "typedoc";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const output = join(root, "docs", "api");

/** What users install, and what of it they see. */
const documented = [
  { name: "millrace", source: "apps/sdk/src/index.ts" },
  { name: "@millrace/testing", source: "packages/testing/src/index.ts" },
];

/** The sources, not the built declarations: docstrings and lines as they are written. */
function sourcePaths() {
  const paths = {
    millrace: [join(root, "apps/sdk/src/index.ts")],
    "@millrace/server": [join(root, "apps/broker/src/index.ts")],
  };
  for (const name of readdirSync(join(root, "packages"))) {
    paths[`@millrace/${name}`] = [join(root, "packages", name, "src/index.ts")];
  }
  for (const entry of ["node", "browser", "memory"]) {
    paths[`@millrace/runtime/${entry}`] = [join(root, `packages/runtime/src/${entry}/index.ts`)];
  }
  return paths;
}

function writeConfig() {
  const folder = join(root, "node_modules", ".cache", "millrace-docs");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "tsconfig.json");
  const config = {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: {
      composite: false,
      incremental: false,
      noEmit: true,
      declaration: false,
      declarationMap: false,
      tsBuildInfoFile: null,
      rootDir: root,
      lib: ["ES2023", "ESNext.Disposable", "DOM"],
      typeRoots: [join(root, "node_modules/@types")],
      types: ["node"],
      paths: sourcePaths(),
    },
    files: documented.map(({ source }) => join(root, source)),
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

async function convert({ name, source }, tsconfig) {
  const app = await Application.bootstrapWithPlugins({
    name,
    entryPoints: [join(root, source)],
    tsconfig,
    plugin: ["typedoc-plugin-markdown"],
    readme: "none",
    githubPages: false,
    disableSources: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    logLevel: "Warn",
    validation: { invalidLink: true, notExported: false, notDocumented: false },
  });
  const project = await app.convert();
  if (project === undefined) {
    throw new Error(`${name} could not be read`);
  }
  app.validate(project);
  return { app, project };
}

const kinds =
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Function |
  ReflectionKind.Variable |
  ReflectionKind.Method |
  ReflectionKind.Accessor;

/** Speak for themselves, or for the interface that brings them. */
const selfEvident = new Set([
  ...["[asyncDispose]", "[asyncIterator]", "[iterator]", "toString", "toJSON"],
  ...["trace", "debug", "info", "warn", "error", "fatal"],
  ...["addEventListener", "removeEventListener"],
]);

function hasDocstring(reflection) {
  const own = [
    reflection,
    ...(reflection.signatures ?? []),
    ...[reflection.getSignature, reflection.setSignature].filter(Boolean),
  ];
  return own.some((one) => one.comment?.hasVisibleComponent());
}

/** Public names without a docstring. What a class or interface inherits from elsewhere is not its own. */
function undocumented(project) {
  return project
    .getReflectionsByKind(kinds)
    .filter(
      (one) =>
        !selfEvident.has(one.name) &&
        one.inheritedFrom === undefined &&
        !one.parent?.kindOf(ReflectionKind.TypeLiteral) &&
        !hasDocstring(one),
    )
    .map((one) => one.getFullName());
}

const tsconfig = writeConfig();
if (existsSync(output)) {
  rmSync(output, { recursive: true });
}
let problems = 0;
for (const entry of documented) {
  const { app, project } = await convert(entry, tsconfig);
  const missing = undocumented(project);
  for (const name of missing) {
    console.error(`docs: ${entry.name}: ${name} has no docstring`);
  }
  problems += missing.length + app.logger.errorCount + app.logger.warningCount;
  const folder = join(output, entry.name.replace("@millrace/", ""));
  await app.outputs.writeOutput({ name: "markdown", path: folder }, project);
  const count = project.getReflectionsByKind(kinds).length;
  console.log(
    `docs: ${entry.name}: ${count} public names, in docs/api${folder.slice(output.length)}`,
  );
}
console.log(
  problems === 0 ? "docs: every public name has a docstring" : `docs: ${problems} problems`,
);
process.exitCode = problems === 0 ? 0 : 1;
