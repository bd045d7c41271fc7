// The terminal as commands see it: results on standard output, everything else on standard error, colours only
// where someone looks. Owns no cursor: bars and tables are in format/.

import { createColors } from "picocolors";

export type Colors = ReturnType<typeof createColors>;

export type OutputStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

export interface TerminalStreams {
  readonly stdin: NodeJS.ReadableStream & {
    readonly isTTY?: boolean | undefined;
    /** Lets go of it, so that a read that waits ends. */
    destroy?(): unknown;
  };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

/** Colours when the stream is a terminal and neither `NO_COLOR` nor `TERM=dumb` forbids them (no-color.org). */
export function wantsColor(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  const forbidden = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  return isTerminal && !forbidden;
}

const DEFAULT_COLUMNS = 80;

export class Terminal {
  readonly streams: TerminalStreams;
  /** Somebody sees standard output. */
  readonly isTerminal: boolean;
  /** Somebody sees standard error: the place for progress. */
  readonly showsProgress: boolean;
  /** Somebody types. */
  readonly isInteractive: boolean;
  /** For standard output. */
  readonly colors: Colors;
  /** For standard error. */
  readonly noteColors: Colors;

  constructor(streams: TerminalStreams, env: Readonly<Record<string, string | undefined>>) {
    this.streams = streams;
    this.isTerminal = streams.stdout.isTTY === true;
    this.showsProgress = streams.stderr.isTTY === true && env["TERM"] !== "dumb";
    this.isInteractive = streams.stdin.isTTY === true;
    this.colors = createColors(wantsColor(this.isTerminal, env));
    this.noteColors = createColors(wantsColor(streams.stderr.isTTY === true, env));
  }

  /** Columns of standard output; undefined when it is a file or a pipe, which has no width. */
  get columns(): number | undefined {
    return this.isTerminal ? (this.streams.stdout.columns ?? DEFAULT_COLUMNS) : undefined;
  }

  /** A line of the result. */
  out(line: string): void {
    this.streams.stdout.write(`${line}\n`);
  }

  /** A line beside the result. */
  note(line: string): void {
    this.streams.stderr.write(`${line}\n`);
  }

  /** Result text as it is; resolves when the reader keeps up, so that memory stays bounded. */
  async write(text: string, encoding: "utf8" | "latin1" = "utf8"): Promise<void> {
    const stream = this.streams.stdout;
    if (stream.write(text, encoding)) {
      return;
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stream.off("drain", done);
        stream.off("close", done);
        resolve();
      };
      stream.once("drain", done);
      stream.once("close", done);
    });
  }
}
