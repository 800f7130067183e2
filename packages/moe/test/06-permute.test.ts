import { GroupError, OptionError, RecipeError, ShapeError, type Tensor } from '@deepgemm/core'
import { type Permutation, type PermutationOptions, permute, planPermutation } from '@deepgemm/moe'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import {
  availableDevices,
  createRandom,
  download,
  expertIndices,
  type HostQuantized,
  randomQuantized,
  seeds,
  upload,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disposeAll } from './support/dispose.js'
import { expectError } from './support/errors.js'

type Routings = { tokens: number; topK: number; experts: number; indices: Int32Array<ArrayBuffer> }

/** Routings of every kind: skewed, all to one expert, with slots that are not routed, empty. */
const routings = (spareExperts: readonly number[]): fc.Arbitrary<Routings> =>
  fc
    .record({
      tokens: fc.constantFrom(0, 1, 2, 5, 33, 64),
      topK: fc.integer({ min: 1, max: 6 }),
      extra: fc.constantFrom(...spareExperts),
      kind: fc.constantFrom('skewed', 'one expert', 'holes', 'nothing'),
      seed: seeds(),
    })
    .map(({ tokens, topK, extra, kind, seed }) => {
      const experts = topK + extra
      const indices = expertIndices(seed, { tokens, topK, experts })
      const only = createRandom(seed).integer(0, experts - 1)
      if (kind === 'one expert') indices.fill(only)
      if (kind === 'holes') for (const at of indices.keys()) if (at % 3 === 0) indices[at] = -1
      if (kind === 'nothing') indices.fill(-1)
      return { tokens, topK, experts, indices }
    })

/** Rows of each expert in the order of the slots. */
function slotsOf({ experts, indices }: Routings): number[][] {
  const slots = Array.from({ length: experts }, (): number[] => [])
  for (const [slot, expert] of indices.entries()) slots[expert]?.push(slot)
  return slots
}

/** First row of every expert and the value that the grouped product wants, by definition. */
function expectedLayout(spec: Routings, layout: Permutation['layout'], rows: number) {
  const slots = slotsOf(spec)
  const starts: number[] = []
  let next = 0
  for (const [expert, own] of slots.entries()) {
    starts.push(layout === 'masked' ? expert * (rows / spec.experts) : next)
    next += layout === 'contiguous' ? Math.ceil(own.length / 128) * 128 : own.length
  }
  const destination = new Array<number>(spec.indices.length).fill(-1)
  const groupIndex = new Array<number>(rows).fill(-1)
  for (const [expert, own] of slots.entries()) {
    own.forEach((slot, place) => {
      destination[slot] = (starts[expert] as number) + place
      groupIndex[destination[slot] as number] = expert
    })
  }
  const counts = slots.map((own) => own.length)
  const groups = { contiguous: groupIndex, packed: [...starts, next], masked: counts }[layout]
  return { destination, counts, groups, groupIndex }
}

describe.each(await availableDevices(Device))('a permutation on $kind', (kind) => {
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  function onDevice({ tokens, topK, indices }: Routings): Tensor<'i32'> {
    return device.tensor(indices, { dtype: 'i32', shape: [tokens, topK] })
  }

  const layouts = ['contiguous', 'packed', 'masked'] as const

  function options(spec: Routings, layout: Permutation['layout']): PermutationOptions {
    const most = Math.max(0, ...slotsOf(spec).map((own) => own.length))
    return { layout, experts: spec.experts, ...(layout === 'masked' && { maxRows: most + 1 }) }
  }

  it.each(layouts)('puts every slot where the %s layout says', async (layout) => {
    await fc.assert(
      fc.asyncProperty(routings([0, 1, 2, 58, 250]), async (spec) => {
        const indices = onDevice(spec)
        const plan = await planPermutation(indices, options(spec, layout))
        const expected = expectedLayout(spec, layout, plan.rows)
        expect([...(await plan.destination.toFloat32Array())]).toEqual(expected.destination)
        expect([...(await plan.counts.toFloat32Array())]).toEqual(expected.counts)
        expect([...(await plan.groups.toFloat32Array())]).toEqual(expected.groups)
        disposeAll(plan, indices)
      }),
      { numRuns: 120 },
    )
  })

  /** Rows of a permuted tensor, codes and scales, flat over groups. */
  async function rowsOf(tensor: Parameters<typeof download>[0], columns: number) {
    const parts = await download(tensor)
    const blocks = Math.ceil(columns / 128)
    return parts.flatMap(({ rows, codes, grid }) =>
      Array.from({ length: rows }, (_, row) => ({
        codes: codes.slice(row * columns, (row + 1) * columns),
        scales: grid.slice(row * blocks, (row + 1) * blocks),
      })),
    )
  }

  it.each(layouts)('copies tokens and their scales to %s rows, zeros elsewhere', async (layout) => {
    const columns = fc.constantFrom(1, 100, 130)
    const formats = fc.constantFrom<'f32' | 'ue8m0'>('f32', 'ue8m0')
    const stored = fc.constantFrom<'k-major' | 'mn-major'>('k-major', 'mn-major')
    await fc.assert(
      fc.asyncProperty(
        routings([0, 1, 9]),
        columns,
        formats,
        stored,
        async (spec, cols, scaleDType, how) => {
          const form = { rows: spec.tokens, cols, recipe: '1x128', scaleDType } as const
          const host: HostQuantized = randomQuantized(1, form)
          const [source, indices] = [upload(device, host, how), onDevice(spec)]
          const plan = await planPermutation(indices, options(spec, layout))
          const permuted = await permute(source, plan)
          const [given, got] = [await rowsOf(source, cols), await rowsOf(permuted, cols)]
          const { destination } = expectedLayout(spec, layout, plan.rows)
          const from = new Map(destination.map((row, slot) => [row, Math.floor(slot / spec.topK)]))
          const zeros = new Uint8Array(cols)
          for (const [row, { codes, scales }] of got.entries()) {
            const token = given[from.get(row) ?? -1]
            if (Buffer.compare(codes, token?.codes ?? zeros) !== 0)
              expect(codes).toEqual(token?.codes)
            if (token !== undefined) expect(scales).toEqual(token.scales)
          }
          disposeAll(source, indices, plan, permuted)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('has room for any routing unless told otherwise', async () => {
    const indices = onDevice({ tokens: 3, topK: 2, experts: 5, indices: new Int32Array(6) })
    const sizes = async (layout: Permutation['layout']) =>
      (await planPermutation(indices, { layout, experts: 5 })).rows
    expect(await sizes('packed')).toBe(6)
    expect(await sizes('contiguous')).toBe(5 * 128)
    await expectError(() => sizes('masked'), GroupError, '6 rows', 'at most 3')
  })

  it('refuses an index that is no expert', async () => {
    for (const bad of [5, -2]) {
      const values = Int32Array.of(0, 1, 2, bad, 4, 0)
      const indices = onDevice({ tokens: 3, topK: 2, experts: 5, indices: values })
      const run = () => planPermutation(indices, { layout: 'packed', experts: 5 })
      await expectError(run, GroupError, 'slot 3', '0 to 4')
    }
  })

  it('refuses a routing that outgrows its rows', async () => {
    const indices = onDevice({ tokens: 3, topK: 2, experts: 2, indices: new Int32Array(6) })
    const packed = () => planPermutation(indices, { layout: 'packed', experts: 2, rows: 5 })
    await expectError(packed, GroupError, '6 rows', 'at most 5')
    const masked = () => planPermutation(indices, { layout: 'masked', experts: 2, maxRows: 5 })
    await expectError(masked, GroupError, '6 rows', 'at most 5')
  })

  it('refuses options that do not belong to the layout', async () => {
    const indices = onDevice({ tokens: 1, topK: 1, experts: 2, indices: new Int32Array(1) })
    const run = (extra: object) => () =>
      planPermutation(indices, { layout: 'packed', experts: 2, ...extra } as PermutationOptions)
    await expectError(run({ maxRows: 1 }), OptionError, 'maxRows', 'packed')
    await expectError(run({ layout: 'masked', rows: 1 }), OptionError, 'rows', 'masked')
    await expectError(run({ layout: 'k-grouped' }), OptionError, 'k-grouped')
    await expectError(run({ experts: 0 }), OptionError, 'experts')
    await expectError(run({ alignment: 1 }), OptionError, 'alignment')
    const flat = indices.reshape([1])
    const plan = () => planPermutation(flat, { layout: 'packed', experts: 2 })
    await expectError(plan, ShapeError, '[tokens, topK]')
  })

  it('refuses tokens that do not belong to it', async () => {
    const indices = onDevice({ tokens: 3, topK: 1, experts: 2, indices: new Int32Array(3) })
    const plan = await planPermutation(indices, { layout: 'packed', experts: 2 })
    const tokens = allocateQuantized(device, { shape: [4, 128], recipe: '1x128' })
    await expectError(() => permute(tokens, plan), ShapeError, '[3, 1]', '[4, 1]')
    const blocks = allocateQuantized(device, { shape: [3, 128], recipe: '128x128' })
    await expectError(() => permute(blocks, plan), RecipeError, '128x128', '1x128')
    const batch = allocateQuantized(device, { shape: [1, 3, 128], recipe: '1x128' })
    await expectError(() => permute(batch, plan), ShapeError, '[1, 3, 128]')
  })
})
