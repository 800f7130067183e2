import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OptionError } from '@deepgemm/core'
import { describe, expect, test } from 'vitest'
import {
  Checkpoint,
  CheckpointWriter,
  fp8QuantizationConfig,
  fp8ScaleShape,
  fp8WeightSpecs,
  pairFp8Weights,
  type TensorSpec,
} from '../src/index.js'
import { refusal, sizeOf, temporaryFolder } from './helpers.js'

/** Writes a checkpoint of zeros with those tensors and opens it. */
async function checkpoint(specs: readonly TensorSpec[], config?: object): Promise<Checkpoint> {
  const folder = await temporaryFolder()
  const writer = await CheckpointWriter.create(folder, specs)
  for (const spec of specs) await writer.write(spec.name, new Uint8Array(sizeOf(spec)))
  await writer.finish()
  if (config !== undefined) await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  return Checkpoint.open(folder)
}

const CONFIG = { quantization_config: fp8QuantizationConfig() }

describe('FP8 weights', () => {
  test('are paired with their scales, tails and experts included', async () => {
    await using source = await checkpoint(
      [
        ...fp8WeightSpecs('q.weight', [256, 384]),
        ...fp8WeightSpecs('tail.weight', [129, 1], 'F8_E8M0'),
        ...fp8WeightSpecs('experts.weight', [3, 128, 200]),
        { name: 'h.weight', dtype: 'F8_E4M3', shape: [5, 5] },
        { name: 'h.weight_scale_inv', dtype: 'BF16', shape: [1, 1] },
        { name: 'norm.weight', dtype: 'BF16', shape: [384] },
      ],
      CONFIG,
    )
    const pairs = pairFp8Weights(source)
    expect(
      new Set(pairs.map(({ name, scale }) => `${name} ${scale.dtype} ${scale.shape}`)),
    ).toEqual(
      new Set([
        'q.weight F32 2,3',
        'tail.weight F8_E8M0 2,1',
        'experts.weight F32 3,1,2',
        'h.weight BF16 1,1',
      ]),
    )
    expect(pairs.every(({ weight }) => weight.dtype === 'F8_E4M3')).toBe(true)
  })

  test('need no quantization_config', async () => {
    await using source = await checkpoint([...fp8WeightSpecs('w', [1, 1])])
    expect(pairFp8Weights(source)).toHaveLength(1)
  })

  test('of no rows have scales of no rows', () => {
    expect(fp8ScaleShape([0, 128])).toEqual([0, 1])
  })

  test.each<[string, readonly TensorSpec[], RegExp]>([
    [
      'no scales',
      [{ name: 'w', dtype: 'F8_E4M3', shape: [128, 128] }],
      /"w" has no scales.*"w_scale_inv"/,
    ],
    [
      'scales of the wrong shape',
      [
        { name: 'w', dtype: 'F8_E4M3', shape: [128, 129] },
        { name: 'w_scale_inv', dtype: 'F32', shape: [1, 1] },
      ],
      /given \[1, 1\]; allowed \[1, 2\], one scale per 128x128 block of \[128, 129\]/,
    ],
    [
      'scales of the wrong rank',
      [
        { name: 'w', dtype: 'F8_E4M3', shape: [128, 128] },
        { name: 'w_scale_inv', dtype: 'F32', shape: [1] },
      ],
      /given \[1\]/,
    ],
    [
      'scales of the wrong dtype',
      [
        { name: 'w', dtype: 'F8_E4M3', shape: [128, 128] },
        { name: 'w_scale_inv', dtype: 'F64', shape: [1, 1] },
      ],
      /given F64; allowed F32, BF16, F8_E8M0/,
    ],
    [
      'a rank that has no blocks',
      [{ name: 'w', dtype: 'F8_E4M3', shape: [128] }],
      /given \[128\]; allowed \[N, K\]/,
    ],
    [
      'scales without a weight',
      [{ name: 'w_scale_inv', dtype: 'F32', shape: [1, 1] }],
      /"w_scale_inv" have no FP8 weight: given no such tensor/,
    ],
    [
      'scales of a weight that is not FP8',
      [
        { name: 'w', dtype: 'BF16', shape: [1, 1] },
        { name: 'w_scale_inv', dtype: 'F32', shape: [1, 1] },
      ],
      /a weight of BF16/,
    ],
  ])('with %s are refused', async (_, specs, message) => {
    await using source = await checkpoint(specs, CONFIG)
    expect((await refusal(() => pairFp8Weights(source))).message).toMatch(message)
  })

  test.each([
    [{ quant_method: 'gptq' }, /"gptq"/],
    [{ quant_method: 'fp8', fmt: 'e5m2' }, /"e5m2"/],
    [{ quant_method: 'fp8', weight_block_size: [1, 128] }, /blocks of 1x128/],
  ])('under the config %j are refused', async (quantization_config, message) => {
    await using source = await checkpoint([], { quantization_config })
    expect((await refusal(() => pairFp8Weights(source))).message).toMatch(message)
  })

  test('are announced to a writer as two tensors, of rank 2 or 3 only', () => {
    expect(fp8WeightSpecs('x.weight', [130, 7])).toEqual([
      { name: 'x.weight', dtype: 'F8_E4M3', shape: [130, 7] },
      { name: 'x.weight_scale_inv', dtype: 'F32', shape: [2, 1] },
    ])
    expect(() => fp8WeightSpecs('x', [1])).toThrow(OptionError)
  })
})

describe('quantization_config', () => {
  test('is read as DeepSeek-V3 writes it', async () => {
    await using source = await checkpoint([], {
      quantization_config: {
        activation_scheme: 'dynamic',
        fmt: 'e4m3',
        quant_method: 'fp8',
        weight_block_size: [128, 128],
        scale_fmt: 'ue8m0',
        modules_to_not_convert: ['lm_head'],
        unknown: { kept: 'aside' },
      },
    })
    expect(source.quantization).toEqual({
      method: 'fp8',
      format: 'e4m3',
      weightBlockSize: [128, 128],
      activationScheme: 'dynamic',
      scaleFormat: 'ue8m0',
      modulesToNotConvert: ['lm_head'],
    })
  })

  test('comes back from what fp8QuantizationConfig writes', async () => {
    const written = { powerOfTwoScales: true, modulesToNotConvert: ['gate'] }
    await using source = await checkpoint([], {
      quantization_config: fp8QuantizationConfig(written),
    })
    expect(source.quantization).toMatchObject({
      scaleFormat: 'ue8m0',
      modulesToNotConvert: ['gate'],
    })
  })

  test('that is null counts as none', async () => {
    await using source = await checkpoint([], { quantization_config: null })
    expect(source.quantization).toBeUndefined()
  })

  test.each([
    [5, /quantization_config .* allowed an object/],
    [{}, /quant_method/],
    [{ quant_method: 5 }, /quant_method .* allowed text/],
    [{ quant_method: 'fp8', weight_block_size: [128] }, /weight_block_size/],
    [{ quant_method: 'fp8', weight_block_size: [128, -1] }, /weight_block_size/],
    [{ quant_method: 'fp8', weight_block_size: '128x128' }, /weight_block_size/],
    [{ quant_method: 'fp8', modules_to_not_convert: [1] }, /modules_to_not_convert/],
  ])('of %j is refused when the checkpoint is opened', async (quantization_config, message) => {
    const error = await refusal(() => checkpoint([], { quantization_config }))
    expect(error.message).toMatch(message)
  })
})
