// What the demo's child processes share: settings from the parent, reports to it, and an end with it.

/** What the parent passed on the command line. */
export function readSettings() {
  return JSON.parse(process.argv[2]);
}

export function report(message) {
  if (process.connected) {
    process.send(message);
  }
}

/** A child never outlives the demo. Ctrl-C in the terminal reaches it too, but the parent decides. */
export function whenDisconnectedExit() {
  process.on("disconnect", () => process.exit(0));
  process.on("SIGINT", () => {});
}
