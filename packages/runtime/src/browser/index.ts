/**
 * The client's half of the seam in browsers: `createBrowserRuntime()`.
 * @packageDocumentation
 */
export { type BrowserRuntimeOptions, createBrowserRuntime } from "./browser-runtime.js";
export type { WebSocketClass, WebSocketLike } from "./web-socket-like.js";
