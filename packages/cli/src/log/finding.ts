// What `log verify` says about a file.

/** `damage`: stored records cannot be read, or not found. `warning`: the broker repairs it at its next start. */
export type Severity = "damage" | "warning";

export interface Finding {
  readonly severity: Severity;
  /** Relative to the directory that was verified. */
  readonly file: string;
  /** Byte in the file. */
  readonly position: number;
  /** The offset where it shows, when one can be told. */
  readonly offset: number | undefined;
  readonly problem: string;
}

/** One damaged disk can hold millions; beyond this only their number is kept. */
export const FINDINGS_MAX = 1000;

/** Collects findings, bounded. */
export class Findings {
  readonly list: Finding[] = [];
  damageCount = 0;
  warningCount = 0;

  add(finding: Finding): void {
    if (finding.severity === "damage") {
      this.damageCount += 1;
    } else {
      this.warningCount += 1;
    }
    if (this.list.length < FINDINGS_MAX) {
      this.list.push(finding);
    }
  }
}
