// Assertions that stay on in production. A broken invariant is a bug: nothing catches it but the caller that
// can stop the broker.

export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

export function assertInvariant(holds: boolean, claim: string, details: unknown): asserts holds {
  if (!holds) {
    throw new InvariantViolation(`${claim}: ${JSON.stringify(details)}`);
  }
}
