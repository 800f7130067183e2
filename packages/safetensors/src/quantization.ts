import { refuse } from './errors.js'
import type { JsonObject, JsonValue } from './json.js'
import { quote } from './text.js'

/** `quantization_config` of a config.json, with the fields this library understands. */
export type QuantizationConfig = {
  /** `fp8` for DeepSeek-style checkpoints; other methods are reported, not understood. */
  readonly method: string
  /** Format of the weights: `e4m3`. */
  readonly format?: string
  /** Rows and columns that share a scale. */
  readonly weightBlockSize?: readonly [number, number]
  /** `dynamic` when activations are quantised as they come. */
  readonly activationScheme?: string
  /** `ue8m0` when the scales are powers of two, in whatever dtype they are stored. */
  readonly scaleFormat?: string
  /** Modules that stay in their original dtype. */
  readonly modulesToNotConvert: readonly string[]
}

/** Reads `quantization_config`; undefined when the config has none. */
export function parseQuantization(
  config: JsonObject,
  path: string,
): QuantizationConfig | undefined {
  const value = config.get('quantization_config')
  if (value === undefined || value === null) return undefined
  if (!(value instanceof Map)) throw wrong(path, 'quantization_config', 'an object')
  const fields = value as JsonObject
  const text = (key: string): string | undefined => {
    const item = fields.get(key)
    if (item === undefined || item === null || typeof item === 'string') return item ?? undefined
    throw wrong(path, key, 'text')
  }
  const weightBlockSize = blockSize(fields.get('weight_block_size'), path)
  const optional = {
    format: text('fmt'),
    activationScheme: text('activation_scheme'),
    scaleFormat: text('scale_fmt'),
    weightBlockSize,
  }
  const method = text('quant_method')
  if (method === undefined) throw wrong(path, 'quant_method', 'the name of a method')
  return {
    method,
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, item]) => item !== undefined),
    ) as Partial<QuantizationConfig>),
    modulesToNotConvert: names(fields.get('modules_to_not_convert'), path),
  }
}

function blockSize(
  value: JsonValue | undefined,
  path: string,
): readonly [number, number] | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) {
    const [rows, columns] = value as readonly JsonValue[]
    const isExtent = (n: JsonValue | undefined): n is number =>
      Number.isSafeInteger(n) && Number(n) > 0
    if (value.length === 2 && isExtent(rows) && isExtent(columns)) return [rows, columns]
  }
  throw wrong(path, 'weight_block_size', 'two whole numbers above 0')
}

function names(value: JsonValue | undefined, path: string): readonly string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw wrong(path, 'modules_to_not_convert', 'an array of names')
}

function wrong(path: string, key: string, allowed: string): Error {
  return refuse(`${key} of ${quote(path)}`, {
    given: 'something else',
    allowed,
    remedy: 'Correct the config, or fetch it again.',
  })
}

/** The `quantization_config` to put into the config.json of a checkpoint with 128x128 FP8 weights. */
export function fp8QuantizationConfig(
  options: {
    readonly powerOfTwoScales?: boolean
    readonly modulesToNotConvert?: readonly string[]
  } = {},
): Record<string, unknown> {
  return {
    quant_method: 'fp8',
    fmt: 'e4m3',
    weight_block_size: [128, 128],
    activation_scheme: 'dynamic',
    ...(options.powerOfTwoScales === true ? { scale_fmt: 'ue8m0' } : {}),
    ...(options.modulesToNotConvert === undefined
      ? {}
      : { modules_to_not_convert: [...options.modulesToNotConvert] }),
  }
}
