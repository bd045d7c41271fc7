// The short report of a run: a line for each claim, as it is found true or false.

export class Report {
  #failures = 0;
  #passes = 0;

  get isGood(): boolean {
    return this.#failures === 0 && this.#passes > 0;
  }

  check(claim: string, isTrue: boolean, details?: unknown): void {
    if (isTrue) {
      this.#passes++;
      console.log(`  ok    ${claim}`);
    } else {
      this.#failures++;
      console.log(`  FAIL  ${claim}`);
      if (details !== undefined) {
        console.log(`        ${JSON.stringify(details)?.slice(0, 2_000)}`);
      }
    }
  }

  note(text: string): void {
    console.log(`        ${text}`);
  }

  summary(): string {
    return `browser: ${this.#passes} claims hold, ${this.#failures} do not`;
  }
}
