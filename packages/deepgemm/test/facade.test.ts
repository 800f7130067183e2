import * as core from '@deepgemm/core'
import * as dense from '@deepgemm/dense'
import * as moe from '@deepgemm/moe'
import * as quant from '@deepgemm/quant'
import * as safetensors from '@deepgemm/safetensors'
import {
  createRandom,
  download,
  expectClose,
  normalArray,
  operandOf,
  referenceGemm,
} from '@deepgemm/testing'
import * as deepgemm from 'deepgemm'
import { Device, fp8GemmNT, quantize } from 'deepgemm'
import { describe, expect, it } from 'vitest'

const facade = new Map<string, unknown>(Object.entries(deepgemm))

describe('the one import for everything', () => {
  it.each(Object.entries({ dense, moe, quant, safetensors }))(
    'has all of %s, unchanged',
    (_, part) => {
      for (const [name, value] of Object.entries(part)) {
        expect(facade.get(name), name).toBe(value)
      }
    },
  )

  it('has what users need of core, and none of its validators', () => {
    const shared = Object.entries(core).filter(([name]) => facade.has(name))
    for (const [name, value] of shared) expect(facade.get(name), name).toBe(value)
    expect(shared.map(([name]) => name)).toEqual(expect.arrayContaining(['Tensor', 'ShapeError']))
    expect(shared.filter(([name]) => name.startsWith('require'))).toEqual([])
  })

  it('exports these names', () => {
    expect([...facade.keys()].sort()).toMatchInlineSnapshot(`
      [
        "CONTIGUOUS_ALIGNMENT",
        "CacheError",
        "Checkpoint",
        "CheckpointError",
        "CheckpointWriter",
        "CompileError",
        "DTYPES",
        "DTypeError",
        "DeepGemmError",
        "Device",
        "DeviceError",
        "DisposedError",
        "E4M3_MAX",
        "FP8_BLOCK",
        "GemmPlan",
        "GroupError",
        "GroupedGemmPlan",
        "KGroupedTensor",
        "LayoutError",
        "MoeLayer",
        "NativeError",
        "OptionError",
        "PADDING_ROW",
        "PrepackedWeights",
        "QuantizedTensor",
        "RECIPES",
        "RecipeError",
        "Routing",
        "SAFETENSORS_DTYPES",
        "SafetensorsFile",
        "SafetensorsWriter",
        "Scales",
        "ShapeError",
        "Tensor",
        "bf16",
        "combine",
        "configName",
        "contiguousGroups",
        "coreDType",
        "decodeArray",
        "dequantize",
        "dtypeBytes",
        "e4m3",
        "e5m2",
        "encodeArray",
        "enqueueQuantize",
        "f16",
        "fp8GemmNN",
        "fp8GemmNT",
        "fp8GemmTN",
        "fp8GemmTT",
        "fp8QuantizationConfig",
        "fp8ScaleShape",
        "fp8WeightSpecs",
        "groupedGemmContiguous",
        "groupedGemmKGrouped",
        "groupedGemmMasked",
        "groupedGemmPacked",
        "isDType",
        "isSafetensorsDType",
        "kGroupedScaleColumns",
        "packedOffsets",
        "pairFp8Weights",
        "panelShape",
        "permute",
        "planGemm",
        "planGroupedGemm",
        "planPermutation",
        "prepackWeights",
        "prepareQuantize",
        "quantize",
        "quantizeKGrouped",
        "relayoutScales",
        "route",
        "safetensorsDType",
        "safetensorsDTypeBytes",
        "scaleGrid",
        "scaleShape",
        "swiglu",
        "swigluQuantize",
        "tensorByteLength",
        "ue8m0",
        "writeFileAtomic",
      ]
    `)
  })
})

describe('the first day', () => {
  it('quantises two matrices and multiplies them', async () => {
    const [m, n, k] = [5, 304, 688]
    const random = createRandom(1)
    const x = { data: normalArray(random, m * k), shape: [m, k] }
    const w = { data: normalArray(random, n * k), shape: [n, k] }

    await using device = await Device.open()
    using a = await quantize(device, x, '1x128')
    using b = await quantize(device, w, '128x128')
    using d = await fp8GemmNT(a, b)
    expect(d.dtype).toBe('bf16')
    expect(d.shape).toEqual([m, n])

    const [[hostA], [hostB]] = [await download(a), await download(b)]
    if (hostA === undefined || hostB === undefined) throw new Error('one matrix each')
    const expected = referenceGemm({ a: operandOf(hostA), b: operandOf(hostB) })
    expectClose(await d.toFloat32Array(), expected, { out: 'bf16' })
  })

  it('costs what e4m3 costs and no more', async () => {
    const [m, n, k] = [64, 96, 512]
    const random = createRandom(2)
    const x = normalArray(random, m * k)
    const w = normalArray(random, n * k)
    await using device = await Device.open()
    using a = await quantize(device, { data: x, shape: [m, k] }, '1x128')
    using b = await quantize(device, { data: w, shape: [n, k] }, '128x128')
    using d = await fp8GemmNT(a, b, { outDType: 'f32' })
    let [cross, squares] = [0, 0]
    const actual = await d.toFloat32Array()
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let exact = 0
        for (let c = 0; c < k; c++) exact += (x[i * k + c] as number) * (w[j * k + c] as number)
        const got = actual[i * n + j] as number
        cross += exact * got
        squares += exact ** 2 + got ** 2
      }
    }
    const error = 1 - (2 * cross) / squares
    expect(error).toBeGreaterThan(3e-4)
    expect(error).toBeLessThan(1e-3)
  })
})
