export type { HostMatrix } from '@deepgemm/runtime'
export { type DequantizeOptions, dequantize } from './dequantize.js'
export {
  enqueueQuantize,
  prepareQuantize,
  type QuantizeKind,
  type QuantizeOptions,
  quantize,
} from './quantize.js'
export { relayoutScales, type ScaleLayoutOptions } from './scale-layout.js'
