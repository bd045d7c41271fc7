// npm run first-five-minutes
//
// What a newcomer does first, timed: packs the packages as npm would publish them, installs the tarballs into an
// empty project outside the workspace, starts a broker with the installed command, and sends and reads a record
// in Node and in a page bundled there. Prints each command as one would type it, with its time. Needs a Chromium
// for the page (`npm run test:browser` installs one); without one it says so and fails.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchChromium } from "../tests/dist/browser/chromium.js";
import { StaticServer } from "../tests/dist/browser/static-server.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = mkdtempSync(join(tmpdir(), "millrace-newcomer-"));
const [tarballs, project] = [join(work, "tarballs"), join(work, "project")];
const port = await freePort();
const url = `ws://127.0.0.1:${port}`;

/** Outside the workspace nothing of it may shine through. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_PATH|INIT_CWD)/i.test(name)),
);

/** A newcomer's would be 9092, which needs no telling; here something may serve there already. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: free } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return free;
}

let totalMs = 0;

function report(command, elapsedMs, isCounted = true) {
  totalMs += isCounted ? elapsedMs : 0;
  console.log(`${(elapsedMs / 1000).toFixed(2).padStart(7)} s  ${command}`);
}

/** Runs a command line in the newcomer's project; its output, or an error with it. */
function run(shown, [command, ...args], { cwd = project, isCounted = true } = {}) {
  const startedAt = performance.now();
  const result = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: environment,
    shell: process.platform === "win32",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status !== 0) {
    throw new Error(`${shown}\n${result.stdout}${result.stderr}${result.error ?? ""}`);
  }
  report(shown, performance.now() - startedAt, isCounted);
  return result.stdout;
}

function pack() {
  const startedAt = performance.now();
  for (const folder of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, folder))) {
      const args = ["pack", "--ignore-scripts", "--pack-destination", tarballs];
      const result = spawnSync("npm", args, {
        cwd: join(root, folder, name),
        encoding: "utf8",
        shell: process.platform === "win32",
      });
      if (result.status !== 0) {
        throw new Error(`npm pack of ${name}: ${result.stderr}`);
      }
    }
  }
  const files = readdirSync(tarballs).map((name) => join(tarballs, name));
  report(
    `npm pack (${files.length} packages; npm's part when they are published)`,
    performance.now() - startedAt,
    false,
  );
  return files;
}

/** The packages as npm's registry would offer them: each name leads to its tarball. */
function manifest(files) {
  const overrides = {};
  for (const file of files) {
    const text = spawnSync("tar", ["-xOf", file, "package/package.json"], { encoding: "utf8" });
    overrides[JSON.parse(text.stdout).name] = `file:${file}`;
  }
  const wanted = ["millrace", "@millrace/cli"];
  return {
    name: "newcomer",
    private: true,
    type: "module",
    dependencies: Object.fromEntries(wanted.map((name) => [name, overrides[name]])),
    devDependencies: { vite: "^8.0.0" },
    overrides: Object.fromEntries(
      Object.entries(overrides).filter(([name]) => !wanted.includes(name)),
    ),
  };
}

const programs = {
  "send.js": `import { Millrace } from "millrace";
const client = new Millrace("${url}");
await client.admin().createTopic("greetings", { ifNotExists: true });
console.log(await client.producer().send({ topic: "greetings", value: "hello from Node" }));
await client.close();
`,
  "read.js": `import { Millrace } from "millrace";
const client = new Millrace("${url}");
for await (const record of client.consumer({ topics: ["greetings"], from: "earliest" })) {
  console.log(record.offset, record.text());
  break;
}
await client.close();
`,
  "index.html": `<!doctype html><title>newcomer</title><link rel="icon" href="data:," /><ol></ol><script type="module" src="./page.js"></script>
`,
  "page.js": `import { Millrace } from "millrace";
const client = new Millrace("${url}");
await client.producer().send({ topic: "greetings", value: "hello from a page" });
for await (const record of client.consumer({ topics: ["greetings"], from: "earliest" })) {
  document.querySelector("ol").append(Object.assign(document.createElement("li"), { textContent: record.text() }));
}
`,
};

async function startBroker() {
  const startedAt = performance.now();
  const bin = join(project, "node_modules", ".bin", "millrace");
  const broker = spawn(bin, ["start", "--port", String(port), "--json"], {
    cwd: project,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  broker.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  await new Promise((resolve, reject) => {
    broker.stdout.once("data", resolve);
    broker.once("close", (code) => reject(new Error(`the broker ended with ${code}: ${errors}`)));
  });
  report(
    `npx millrace start --port ${port}   # in another terminal`,
    performance.now() - startedAt,
  );
  return broker;
}

async function readInPage() {
  const startedAt = performance.now();
  const server = await StaticServer.start(join(project, "dist"));
  server.connectTo = url;
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    await page.locator("li").nth(1).waitFor();
    const texts = await page.locator("li").allTextContents();
    report("the page, opened in Chromium", performance.now() - startedAt);
    return texts;
  } finally {
    await browser.close();
    await server[Symbol.asyncDispose]();
  }
}

function expectText(what, text, wanted) {
  if (!text.includes(wanted)) {
    throw new Error(`${what}: expected ${JSON.stringify(wanted)} in ${JSON.stringify(text)}`);
  }
}

async function main() {
  mkdirSync(tarballs);
  mkdirSync(project);
  const files = pack();
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest(files), null, 2));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(project, name), text);
  }
  console.log("\n  the newcomer, in an empty folder:");
  run("npm install millrace @millrace/cli vite", ["npm", "install", "--no-audit", "--no-fund"]);
  const broker = await startBroker();
  try {
    expectText("send.js", run("node send.js", ["node", "send.js"]), "offset: 0");
    expectText("read.js", run("node read.js", ["node", "read.js"]), "0 hello from Node");
    const cli = join("node_modules", ".bin", "millrace");
    const consume = [
      "consume",
      "greetings",
      "--from",
      "earliest",
      "--max",
      "1",
      "--bootstrap",
      url,
    ];
    const shown = `npx millrace ${consume.join(" ")}`;
    expectText("millrace consume", run(shown, [cli, ...consume]), "hello from Node");
    run("npx vite build", [join("node_modules", ".bin", "vite"), "build"]);
    expectText("the page", (await readInPage()).join(), "hello from Node,hello from a page");
  } finally {
    broker.kill("SIGTERM");
    await new Promise((resolve) => broker.once("close", resolve));
  }
  console.log(
    `${(totalMs / 1000).toFixed(2).padStart(7)} s  from npm install to a record read in Node and in a page`,
  );
  const size = spawnSync("du", ["-sk", "node_modules"], { cwd: project, encoding: "utf8" });
  const count = Object.keys(
    JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")).packages,
  ).length;
  console.log(
    `           ${count - 1} packages, ${Math.round(Number.parseInt(size.stdout, 10) / 1024)} MB in node_modules (vite included)`,
  );
}

try {
  await main();
} finally {
  rmSync(work, { recursive: true, force: true });
}
