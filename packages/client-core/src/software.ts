// What this client calls itself in `hello`, for the broker's log.

export const SOFTWARE_NAME = "millrace-js";
/** Equals the package's version; a test holds the two together. */
export const SOFTWARE_VERSION = "0.1.0";
