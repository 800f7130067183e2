/**
 * Bounds on what a file may make this package allocate. They are far above real checkpoints and are
 * what keeps a hostile file from costing more memory than its own size.
 */

/** Longest header in bytes: the limit of the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000

/** Longest index file, in bytes. The largest public checkpoints have about 10 MB. */
export const MAX_INDEX_BYTES = 100_000_000

/** Longest config.json, in bytes. */
export const MAX_CONFIG_BYTES = 16_000_000

/** Most tensors in one file and in one checkpoint. The largest public mixtures have about 200,000. */
export const MAX_TENSORS = 524_288

/** Most shards of one checkpoint; each one costs a file handle while the checkpoint is open. */
export const MAX_SHARDS = 8192

/** Most dimensions of a tensor. */
export const MAX_RANK = 32

/** One read or write call: below the 2 GiB that the kernel takes at once. */
export const MAX_IO_BYTES: number = 1 << 30
