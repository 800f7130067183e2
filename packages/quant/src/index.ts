export { type DequantizeOptions, dequantize } from './dequantize.js'
export { enqueueQuantize, type QuantizeOptions, quantize } from './quantize.js'
export { relayoutScales, type ScaleLayoutOptions } from './scale-layout.js'
export type { FloatDType, HostMatrix } from './source.js'
