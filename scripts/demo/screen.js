// What the demo shows: events as lines that stay, and below them, on a terminal, a few lines that move.
// Elsewhere a line every second.

const { env, stdout } = process;
const isTerminal = stdout.isTTY === true && env["TERM"] !== "dumb";
const wantsColor = isTerminal && (env["NO_COLOR"] ?? "") === "";

const paint = (code) => (text) => (wantsColor ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);
export const cyan = paint(36);

export const count = (value) =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");

export const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(2)} s`;

function bar(fraction, width) {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return `${cyan("█".repeat(filled))}${dim("░".repeat(width - filled))}`;
}

const FRAME_MS = 100;
const PLAIN_MS = 1_000;
const BAR_WIDTH = 30;

export class Screen {
  #startedMs = performance.now();
  #liveLines = 0;
  #timer;
  #model;
  #previous = { atMs: 0, acknowledged: 0, received: 0 };
  #rates = { acknowledged: 0, received: 0 };

  /** `model()` gives `{ total, acknowledged, received, broker }` whenever a frame is drawn. */
  start(model) {
    this.#model = model;
    this.#previous.atMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), isTerminal ? FRAME_MS : PLAIN_MS);
    if (isTerminal) {
      stdout.write("\u001b[?25l");
    }
  }

  /** Leaves the last frame, or nothing, and the cursor as it was. Safe to call again. */
  stop({ keepsFrame = true } = {}) {
    if (this.#timer === undefined) {
      return;
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (isTerminal) {
      this.#erase();
      stdout.write(
        `${keepsFrame ? `${this.#frame({ isFinal: true }).join("\n")}\n` : ""}\u001b[?25h`,
      );
      this.#liveLines = 0;
    }
  }

  /** A line that stays. */
  event(text) {
    const time = dim(`${((performance.now() - this.#startedMs) / 1000).toFixed(1).padStart(5)} s`);
    this.#erase();
    stdout.write(`${time}  ${text}\n`);
    this.#draw();
  }

  #tick() {
    const nowMs = performance.now();
    const { acknowledged, received } = this.#model();
    const elapsed = (nowMs - this.#previous.atMs) / 1000;
    if (elapsed >= 0.5) {
      this.#rates = {
        acknowledged: (acknowledged - this.#previous.acknowledged) / elapsed,
        received: (received - this.#previous.received) / elapsed,
      };
      this.#previous = { atMs: nowMs, acknowledged, received };
    }
    if (isTerminal) {
      this.#erase();
      this.#draw();
      return;
    }
    const rate = (name) => `${count(this.#rates[name])}/s`;
    this.event(
      `acknowledged ${count(acknowledged)} (${rate("acknowledged")})  received ${count(received)} (${rate("received")})`,
    );
  }

  #frame({ isFinal = false } = {}) {
    const { total, acknowledged, received, broker } = this.#model();
    const width = Math.max(10, Math.min(BAR_WIDTH, (stdout.columns ?? 80) - 50));
    const row = (name, value, rate) =>
      `  ${name.padEnd(9)} ${bar(value / total, width)} ${count(value).padStart(8)} ${isFinal ? "" : dim(`${count(rate)} records/s`)}`.trimEnd();
    return [
      row("producer", acknowledged, this.#rates.acknowledged),
      `  ${"broker".padEnd(9)} ${broker}`,
      row("consumer", received, this.#rates.received),
    ];
  }

  #draw() {
    if (isTerminal && this.#timer !== undefined) {
      const lines = this.#frame();
      stdout.write(`${lines.join("\n")}\n`);
      this.#liveLines = lines.length;
    }
  }

  #erase() {
    if (this.#liveLines > 0) {
      stdout.write(`\u001b[${this.#liveLines}A\u001b[0J`);
      this.#liveLines = 0;
    }
  }
}
