// Progress on standard error, for work that takes more than a second and only where somebody looks. In a pipe or
// a log file it is silent. `stop` always leaves a clean line.

import cliProgress from "cli-progress";
import type { Terminal } from "../terminal.js";

export interface ProgressOptions {
  readonly terminal: Terminal;
  readonly label: string;
  /** Undefined: unknown, and only the count is shown. */
  readonly total?: number | undefined;
  /** Text for a count; default: the number itself. */
  readonly format?: (value: number) => string;
  /** Nothing appears before this. Default 1000. */
  readonly delayMs?: number;
  /** Other lines are printed meanwhile: no bar. */
  readonly isHidden?: boolean;
}

const BAR_WIDTH = 28;

export class Progress {
  readonly #options: ProgressOptions;
  readonly #startedMs = performance.now();
  #bar: cliProgress.SingleBar | undefined;
  #value = 0;
  #note = "";
  #isStopped = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /** Cheap: the bar draws itself at most ten times a second. */
  update(value: number, note = ""): void {
    this.#value = value;
    this.#note = note;
    if (this.#isStopped || this.#options.isHidden || !this.#options.terminal.showsProgress) {
      return;
    }
    if (this.#bar === undefined) {
      const elapsedMs = performance.now() - this.#startedMs;
      if (elapsedMs < (this.#options.delayMs ?? 1000)) {
        return;
      }
      this.#bar = this.#open();
    }
    this.#bar.update(value, this.#payload());
  }

  /** Removes the bar. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #open(): cliProgress.SingleBar {
    const { terminal, label, total } = this.#options;
    const colors = terminal.noteColors;
    const meter = total === undefined ? "" : ` ${colors.cyan("{bar}")} {percentage}%`;
    const bar = new cliProgress.SingleBar({
      format: `${label}${meter}  {shown} ${colors.dim("{note}")}`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: BAR_WIDTH,
      stream: terminal.streams.stderr,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      fps: 10,
    });
    bar.start(total ?? 0, this.#value, this.#payload());
    return bar;
  }

  #payload(): { shown: string; note: string } {
    const format = this.#options.format ?? String;
    return { shown: format(this.#value), note: this.#note };
  }
}
