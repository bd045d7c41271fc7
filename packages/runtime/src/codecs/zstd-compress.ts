// Compresses to zstd frames by the reference implementation, compiled to WebAssembly (@hpcc-js/wasm-zstd): for
// platforms without a zstd of their own. Loading is asynchronous, compressing is not.

/** The reference implementation's, and Kafka's. */
export const ZSTD_LEVEL_DEFAULT = 3;

export type ZstdCompressor = (bytes: Uint8Array, level: number) => Uint8Array;

/** Loads about 240 KiB when it is first called. */
export async function loadZstdCompressor(): Promise<ZstdCompressor> {
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  const zstd = await Zstd.load();
  return (bytes, level) => zstd.compress(bytes, level);
}
