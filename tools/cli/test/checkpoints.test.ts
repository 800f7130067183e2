import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Checkpoint, decodeArray, encodeArray, pairFp8Weights, SafetensorsWriter } from 'deepgemm'
import { describe, expect, it } from 'vitest'
import { deepgemm, scratchFolder, writeCheckpoint } from './helpers.js'

describe('deepgemm quantize', () => {
  it('turns matrices into e4m3 with scales and keeps the rest', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const { code, stdout } = await deepgemm(['quantize', folder.in('bf16'), '-o', folder.in('fp8')])
    expect(code).toBe(0)
    expect(stdout).toMatch(/2 weights in e4m3 with 128x128 scales, 4 tensors kept/)
    await using checkpoint = await Checkpoint.open(folder.in('fp8'))
    expect(pairFp8Weights(checkpoint).map(({ name, scale }) => [name, scale.shape])).toEqual(
      expect.arrayContaining([
        ['model.layers.0.mlp.down_proj.weight', [2, 3]],
        ['model.layers.0.mlp.experts.weight', [3, 2, 1]],
      ]),
    )
    expect(checkpoint.entry('model.norm.weight').dtype).toBe('BF16')
    expect(checkpoint.config).toMatchObject({
      model_type: 'test',
      quantization_config: {
        quant_method: 'fp8',
        weight_block_size: [128, 128],
        modules_to_not_convert: expect.arrayContaining(['lm_head', 'model.embed_tokens']),
      },
    })
    expect(existsSync(join(folder.in('fp8'), 'tokenizer.json'))).toBe(true)
  })

  it('gives the same FP8 checkpoint from one file and from shards', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('one'))
    await writeCheckpoint(folder.in('many'), undefined, { maxShardBytes: 60_000 })
    await deepgemm(['quantize', folder.in('one'), '-o', folder.in('a')])
    await deepgemm(['quantize', folder.in('many'), '-o', folder.in('b'), '--max-shard-mb', '1'])
    await using a = await Checkpoint.open(folder.in('a'))
    await using b = await Checkpoint.open(folder.in('b'))
    for (const name of a.names) expect(await b.read(name)).toEqual(await a.read(name))
  })

  it('rounds scales up to powers of two on request', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const args = ['quantize', folder.in('bf16'), '-o', folder.in('fp8'), '--scale-dtype', 'ue8m0']
    expect((await deepgemm(args)).code).toBe(0)
    await using checkpoint = await Checkpoint.open(folder.in('fp8'))
    const [pair] = pairFp8Weights(checkpoint)
    expect(pair?.scale.dtype).toBe('F8_E8M0')
    expect(checkpoint.quantization?.scaleFormat).toBe('ue8m0')
  })

  it('takes and leaves weights by pattern', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const args = ['quantize', folder.in('bf16'), '-o', folder.in('fp8'), '--json']
    const { stdout } = await deepgemm([...args, '--include', 'lm_head', '--exclude', 'experts'])
    const summary = JSON.parse(stdout)
    expect(summary.quantized).toBe(2)
    expect(summary.kept).toContain('model.layers.0.mlp.experts.weight')
    expect(summary.kept).not.toContain('lm_head.weight')
  })

  it('refuses weights that are not finite, by name and place, and leaves nothing behind', async () => {
    using folder = scratchFolder()
    const name = 'layer.weight'
    const values = new Float32Array(4 * 128).fill(1)
    values[130] = Number.NaN
    await using writer = await SafetensorsWriter.create(folder.in('bad.safetensors'), [
      { name, dtype: 'F32', shape: [4, 128] },
    ])
    await writer.write(name, encodeArray('f32', values))
    await writer.finish()
    const args = ['quantize', folder.in('bad.safetensors'), '-o', folder.in('fp8')]
    const { code, stderr } = await deepgemm(args)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /layer\.weight cannot be quantised: given NaN or infinity at row 1, column 2/,
    )
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(existsSync(folder.in('fp8'))).toBe(false)
  })

  it('refuses to quantise what is quantised already', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    await deepgemm(['quantize', folder.in('bf16'), '-o', folder.in('fp8')])
    const { code, stderr } = await deepgemm(['quantize', folder.in('fp8'), '-o', folder.in('x')])
    expect(code).toBe(1)
    expect(stderr).toMatch(/nothing to quantise.*--include/)
    expect(existsSync(folder.in('x'))).toBe(false)
  })

  it('refuses to write over its input, another checkpoint, or a file', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const quantize = (...rest: string[]): Promise<{ code: number; stderr: string }> =>
      deepgemm(['quantize', folder.in('bf16'), ...rest])
    expect(await quantize('-o', folder.in('bf16'))).toMatchObject({ code: 2 })
    symlinkSync(folder.in('bf16'), folder.in('link'))
    expect(await quantize('-o', folder.in('link'), '--overwrite')).toMatchObject({ code: 2 })
    const file = join(folder.in('bf16'), 'model.safetensors')
    const onto = await deepgemm(['quantize', file, '-o', folder.in('bf16'), '--overwrite'])
    expect(onto).toMatchObject({ code: 2, stderr: expect.stringMatching(/is the input folder/) })
    await quantize('-o', folder.in('fp8'))
    const again = await quantize('-o', folder.in('fp8'))
    expect(again.code).toBe(1)
    expect(again.stderr).toMatch(/will not replace.* --overwrite/)
    expect((await quantize('-o', folder.in('fp8'), '--overwrite')).code).toBe(0)
    writeFileSync(folder.in('file'), '')
    const blocked = await quantize('-o', folder.in('file'))
    expect(blocked.code).toBe(1)
    expect(blocked.stderr).toContain(folder.in('file'))
  })
})

describe('a folder that is being written', () => {
  it('is no checkpoint when its companions cannot be written', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    mkdirSync(join(folder.in('fp8'), 'config.json'), { recursive: true })
    const args = ['quantize', folder.in('bf16'), '-o', folder.in('fp8')]
    const { code, stderr } = await deepgemm(args)
    expect(code).toBe(1)
    expect(stderr).toMatch(/config\.json/)
    expect(readdirSync(folder.in('fp8'))).not.toContain('model.safetensors')
  })
})

describe('deepgemm dequantize', () => {
  it('goes back to floats that verify against the original', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    await deepgemm(['quantize', folder.in('bf16'), '-o', folder.in('fp8')])
    const { code } = await deepgemm(['dequantize', folder.in('fp8'), '-o', folder.in('back')])
    expect(code).toBe(0)
    await using back = await Checkpoint.open(folder.in('back'))
    expect([...back.tensors.values()].every(({ dtype }) => dtype === 'BF16')).toBe(true)
    expect(back.quantization).toBeUndefined()
    const { code: verified, stdout } = await deepgemm([
      'verify',
      folder.in('back'),
      folder.in('bf16'),
    ])
    expect(verified).toBe(0)
    expect(stdout).toMatch(/Passed/)
  })

  it('says when there is nothing to dequantise', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const { code, stderr } = await deepgemm(['dequantize', folder.in('bf16'), '-o', folder.in('x')])
    expect(code).toBe(1)
    expect(stderr).toMatch(/nothing to dequantise/)
  })
})

describe('deepgemm verify', () => {
  it('refuses scales that do not fit their weight', async () => {
    using folder = scratchFolder()
    const path = folder.in('bad.safetensors')
    await using writer = await SafetensorsWriter.create(path, [
      { name: 'a.weight', dtype: 'F8_E4M3', shape: [256, 256] },
      { name: 'a.weight_scale_inv', dtype: 'F32', shape: [1, 1] },
    ])
    await writer.write('a.weight', new Uint8Array(256 * 256))
    await writer.write('a.weight_scale_inv', new Uint8Array(4))
    await writer.finish()
    const { code, stderr } = await deepgemm(['verify', path, path])
    expect(code).toBe(1)
    expect(stderr).toMatch(/shape: given \[1, 1\]; allowed \[2, 2\]/)
  })

  it('lists every tensor with its error, tab-separated when piped', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    await deepgemm(['quantize', folder.in('bf16'), '-o', folder.in('fp8')])
    const { code, stdout } = await deepgemm(['verify', folder.in('fp8'), folder.in('bf16')])
    expect(code).toBe(0)
    const rows = stdout.split('\n').map((line) => line.split('\t'))
    expect(rows[0]).toEqual([
      'tensor',
      'shape',
      'format',
      'original',
      'error',
      'worst row',
      'its error',
    ])
    const down = rows.find(([name]) => name === 'model.layers.0.mlp.down_proj.weight')
    expect(down?.slice(1, 4)).toEqual(['[200, 300]', 'e4m3 128x128', 'bf16'])
    // A product of two e4m3 matrices of normal data is off by 6.8e-4; one matrix by half of that.
    expect(Number(down?.[4])).toBeGreaterThan(2.5e-4)
    expect(Number(down?.[4])).toBeLessThan(4.5e-4)
    expect(rows.find(([name]) => name === 'model.norm.weight')?.[4]).toBe('0')
    expect(stdout).toMatch(/Worst rows\ntensor\trow\terror\n(model\..*\t\d+\t\d\.\d+e-4\n){5}/)
    expect(stdout).toMatch(/All FP8 weights together: error [234]\.\d+e-4/)
  })

  it('draws a table for people', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const args = ['verify', folder.in('bf16'), folder.in('bf16')]
    const { code, stdout, stderr } = await deepgemm(args, { interactive: true })
    expect(code).toBe(0)
    expect(stdout).toMatch(/│ model\.norm\.weight +│ \[128\]/)
    expect(stderr).toContain('Verified 6 tensors')
  })

  it('fails when a weight was changed, and names it', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    await deepgemm(['quantize', folder.in('bf16'), '-o', folder.in('fp8')])
    const file = join(folder.in('fp8'), 'model.safetensors')
    await using checkpoint = await Checkpoint.open(folder.in('fp8'))
    const { fileOffset } = checkpoint.entry('model.layers.0.mlp.down_proj.weight')
    const bytes = readFileSync(file)
    bytes.fill(0, fileOffset, fileOffset + 300)
    writeFileSync(file, bytes)
    const { code, stdout } = await deepgemm([
      'verify',
      folder.in('fp8'),
      folder.in('bf16'),
      '--json',
    ])
    expect(code).toBe(1)
    const { passed, worst } = JSON.parse(stdout)
    expect(passed).toBe(false)
    expect(worst).toMatchObject({
      name: 'model.layers.0.mlp.down_proj.weight',
      worstRows: expect.arrayContaining([{ row: 0, error: 1 }]),
    })
  })

  it('fails when tensors are missing or of another shape', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('a'), { 'x.weight': [8, 128], 'y.weight': [8, 128] })
    await writeCheckpoint(folder.in('b'), { 'x.weight': [128, 8], 'z.weight': [8, 128] })
    const { code, stdout } = await deepgemm(['verify', folder.in('a'), folder.in('b')])
    expect(code).toBe(1)
    expect(stdout).toMatch(/lacks z\.weight/)
    expect(stdout).toMatch(/has, beyond the original, y\.weight/)
    expect(stdout).toMatch(/x\.weight has shape \[8,128\], the original \[128,8\]/)
  })

  it('refuses damaged checkpoints with a sentence', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('a'))
    truncateSync(join(folder.in('a'), 'model.safetensors'), 1000)
    const { code, stderr } = await deepgemm(['verify', folder.in('a'), folder.in('a')])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^deepgemm: .*model\.safetensors/m)
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})

describe('values that survive', () => {
  it('are those of the original up to the e4m3 step', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    await deepgemm(['quantize', folder.in('bf16'), '-o', folder.in('fp8')])
    await deepgemm(['dequantize', folder.in('fp8'), '-o', folder.in('f32'), '--dtype', 'f32'])
    await using before = await Checkpoint.open(folder.in('bf16'))
    await using after = await Checkpoint.open(folder.in('f32'))
    const name = 'model.layers.0.mlp.experts.weight'
    const x = decodeArray('bf16', await before.read(name))
    const y = decodeArray('f32', await after.read(name))
    const amax = x.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
    // Half an e4m3 step: 2^-4 of the value, or of the smallest normal of the block.
    const bound = (value: number): number => Math.max(Math.abs(value) / 16, (amax / 448) * 2 ** -10)
    expect(x.every((value, i) => Math.abs(value - (y[i] as number)) <= bound(value) * 1.01)).toBe(
      true,
    )
    expect(readdirSync(folder.path)).toHaveLength(3)
  })
})
