// What `strace -f` saw a broker do, in the order in which the kernel did it: decoding only.

export interface SystemCall {
  readonly name: string;
  /** The path behind the first argument's descriptor, as `strace -y` prints it. */
  readonly path: string;
  /** The line's text: what was written is in it, as far as strace shows it. */
  readonly text: string;
}

export interface Traced extends SystemCall {
  /** In the order of lines: when the call began, and when it had returned. */
  readonly beganAt: number;
  readonly endedAt: number;
}

/** Puts the two halves of interrupted calls together. */
export function readTrace(trace: string): Traced[] {
  const calls: Traced[] = [];
  const open = new Map<string, { readonly beganAt: number; readonly text: string }>();
  for (const [at, line] of trace.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (rest.endsWith("<unfinished ...>")) {
      open.set(thread, { beganAt: at, text: rest.replace("<unfinished ...>", "") });
    } else if (resumed !== null) {
      const begun = open.get(thread);
      if (begun !== undefined) {
        add(calls, { ...begun, text: begun.text + (resumed[1] ?? ""), endedAt: at });
      }
    } else {
      add(calls, { beganAt: at, endedAt: at, text: rest });
    }
  }
  return calls.sort((left, right) => left.endedAt - right.endedAt);
}

function add(
  calls: Traced[],
  call: { readonly beganAt: number; readonly endedAt: number; readonly text: string },
): void {
  const [, name, path] = /^(\w+)\(\d+<([^>]*)>/.exec(call.text) ?? [];
  if (name !== undefined && path !== undefined) {
    calls.push({ ...call, name, path });
  }
}

/**
 * Why the acknowledgement of the record that holds `marker` came too early; undefined when a `fdatasync` of the file began
 * after the record was written to it, and ended before the first answer that followed.
 */
export function earlyAcknowledgement(
  calls: readonly Traced[],
  record: {
    readonly marker: string;
    readonly logPath: string;
    readonly isAnswer: (call: Traced) => boolean;
  },
): string | undefined {
  const { marker, logPath, isAnswer } = record;
  const isWrite = (call: Traced): boolean => /^p?writev?(64)?$/.test(call.name);
  const written = calls.find(
    (call) => isWrite(call) && call.path === logPath && call.text.includes(marker),
  );
  if (written === undefined) {
    return `${marker} was not seen being written to ${logPath}`;
  }
  const answer = calls.find((call) => isAnswer(call) && call.beganAt > written.endedAt);
  if (answer === undefined) {
    return `no answer was seen behind the write of ${marker}`;
  }
  const isCovered = calls.some(
    (call) =>
      call.name === "fdatasync" &&
      call.path === logPath &&
      call.beganAt > written.endedAt &&
      call.endedAt < answer.beganAt &&
      / = 0\b/.test(call.text),
  );
  return isCovered ? undefined : `${marker} was answered before a fdatasync covered it`;
}
