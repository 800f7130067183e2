/**
 * Where the members of `GemmArguments` lie (`kernels/cuda/entry/arguments.cuh`, which checks the
 * same numbers). Tensor maps take 128 bytes, addresses and strides 8, counts 4.
 */
export const SM90_ARGUMENTS = {
  bytes: 768,
  left: 0,
  right: 128,
  leftScales: 256,
  rightScales: 384,
  out: 512,
  blockScales: 640,
  directOut: 648,
  partials: 656,
  partialFlags: 664,
  outStride: 672,
  blockScaleStride: 680,
  leftExtent: 684,
  rightExtent: 688,
  k: 692,
  leftTiles: 696,
  rightTiles: 700,
  band: 704,
  workers: 708,
  streamedTiles: 712,
  weightsReady: 716,
  groupData: 720,
  groups: 728,
  groupRows: 732,
} as const
