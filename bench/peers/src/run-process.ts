// A client in a process of its own: bounded in time and output, its CPU time watched from outside, ended with the harness.

import { spawn } from "node:child_process";
import { cpuSeconds } from "./proc.js";

/** Of the clients in Java. */
export const clientJvm = ["-Xmx1G", "-Xms256M", "-XX:+UseG1GC"] as const;
const OUTPUT_MAX = 1024 * 1024;
const CPU_SAMPLE_MS = 25;

export interface Finished {
  readonly output: string;
  readonly seconds: number;
  /** Of the whole process, as last seen. */
  readonly clientCpuSeconds: number;
}

/** @throws with what it said when it fails or takes too long */
export async function runProcess(
  [program, ...parameters]: readonly [string, ...string[]],
  timeoutSeconds: number,
): Promise<Finished> {
  const child = spawn(program, parameters, { stdio: ["ignore", "pipe", "pipe"] });
  const started = performance.now();
  let output = "";
  let errors = "";
  let clientCpuSeconds = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_MAX);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-OUTPUT_MAX);
  });
  const sampler = setInterval(() => {
    clientCpuSeconds = Math.max(clientCpuSeconds, cpuSeconds([child.pid ?? -1]));
  }, CPU_SAMPLE_MS);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);
  const killer = (): void => void child.kill("SIGKILL");
  process.prependOnceListener("exit", killer);
  const status = await new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  clearTimeout(timer);
  clearInterval(sampler);
  process.off("exit", killer);
  if (isLate) {
    throw new Error(`it took more than ${timeoutSeconds} s and was ended\n${errors.trim()}`);
  }
  if (status !== 0) {
    throw new Error(`it ended with ${status}\n${(errors || output).trim()}`);
  }
  return { output, seconds: (performance.now() - started) / 1000, clientCpuSeconds };
}
