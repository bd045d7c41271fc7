// Where consumed records go with `--out`: a file for each partition, or for each record. Never overwrites.

import { type FileHandle, mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ConsumerRecord } from "@millrace/client-consumer";
import { CliError, systemErrorCode } from "../cli-error.js";
import { exitCodes } from "../exit-codes.js";
import type { RecordFormat } from "../format/record-template.js";
import type { RecordSink } from "./record-printer.js";

export interface RecordFilesOptions {
  readonly directory: string;
  readonly format: RecordFormat;
  /** With the dot. */
  readonly extension: string;
  readonly perRecord: boolean;
}

export interface RecordFiles extends RecordSink {
  readonly records: number;
  readonly files: number;
}

function refused(path: string, error: unknown): unknown {
  return systemErrorCode(error) === "EEXIST"
    ? new CliError(`${path} exists already.`, {
        code: "EEXIST",
        exitCode: exitCodes.CANNOT_WRITE,
        hint: "Nothing is overwritten: name another directory with --out, or move the files away.",
        cause: error,
      })
    : error;
}

/** `TOPIC-PARTITION.EXTENSION`, records one after the other as they would be printed. */
class PartitionFiles implements RecordFiles {
  readonly #options: RecordFilesOptions;
  readonly #open = new Map<string, FileHandle>();
  records = 0;

  constructor(options: RecordFilesOptions) {
    this.#options = options;
  }

  get files(): number {
    return this.#open.size;
  }

  async write(records: Iterable<ConsumerRecord>): Promise<void> {
    const { format } = this.#options;
    const texts = new Map<string, string>();
    for (const record of records) {
      const name = `${record.topic}-${record.partition}`;
      texts.set(name, (texts.get(name) ?? "") + format.print(record));
      this.records += 1;
    }
    for (const [name, text] of texts) {
      const file = this.#open.get(name) ?? (await this.#create(name));
      await file.appendFile(Buffer.from(text, format.encoding));
    }
  }

  async close(): Promise<void> {
    for (const file of this.#open.values()) {
      await file.close();
    }
  }

  async #create(name: string): Promise<FileHandle> {
    const path = join(this.#options.directory, `${name}${this.#options.extension}`);
    try {
      const file = await open(path, "ax");
      this.#open.set(name, file);
      return file;
    } catch (error) {
      throw refused(path, error);
    }
  }
}

/** `TOPIC-PARTITION/OFFSET.EXTENSION`, the offset with 20 digits, so that names sort. */
class SingleFiles implements RecordFiles {
  readonly #options: RecordFilesOptions;
  readonly #directories = new Set<string>();
  records = 0;

  constructor(options: RecordFilesOptions) {
    this.#options = options;
  }

  get files(): number {
    return this.records;
  }

  async write(records: Iterable<ConsumerRecord>): Promise<void> {
    const { directory, extension, format } = this.#options;
    for (const record of records) {
      const folder = join(directory, `${record.topic}-${record.partition}`);
      if (!this.#directories.has(folder)) {
        await mkdir(folder, { recursive: true });
        this.#directories.add(folder);
      }
      const path = join(folder, `${String(record.offset).padStart(20, "0")}${extension}`);
      try {
        await writeFile(path, Buffer.from(format.print(record), format.encoding), { flag: "wx" });
      } catch (error) {
        throw refused(path, error);
      }
      this.records += 1;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Creates the directory if need be. */
export async function createRecordFiles(options: RecordFilesOptions): Promise<RecordFiles> {
  await mkdir(options.directory, { recursive: true });
  return options.perRecord ? new SingleFiles(options) : new PartitionFiles(options);
}
