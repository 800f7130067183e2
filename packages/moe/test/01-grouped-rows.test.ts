import { Device } from '@deepgemm/runtime'
import { availableDevices } from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { checkContiguous, checkMasked, checkPacked } from './support/check-rows.js'
import { limitsOf, plainCase, rowsCases } from './support/grouped-cases.js'

describe.each(await availableDevices(Device))('a grouped product over rows on $kind', (kind) => {
  const { runs: numRuns } = limitsOf(kind.kind)
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  it('multiplies contiguous groups and zeroes padding rows', async () => {
    // A group takes 128 rows whatever its size, and padding costs the reference nothing.
    await fc.assert(
      fc.asyncProperty(rowsCases(40, kind.kind), (spec) => checkContiguous(device, spec)),
      { numRuns },
    )
  })

  it('multiplies packed groups and leaves rows outside untouched', async () => {
    const spare = fc.nat({ max: 5 })
    await fc.assert(
      fc.asyncProperty(rowsCases(70, kind.kind), spare, spare, (spec, before, after) =>
        checkPacked(device, spec, before, after),
      ),
      {
        numRuns,
      },
    )
  })

  it('multiplies masked groups and leaves rows beyond their size untouched', async () => {
    const [spare, hint] = [fc.nat({ max: 5 }), fc.nat({ max: 100 })]
    await fc.assert(
      fc.asyncProperty(rowsCases(40, kind.kind), spare, hint, (spec, rows, expectedM) =>
        checkMasked(device, spec, rows, expectedM),
      ),
      {
        numRuns,
      },
    )
  })

  it('multiplies a contiguous group that fills several aligned blocks', async () => {
    await checkContiguous(device, plainCase([263, 0, 5]))
  })

  it('multiplies groups of a single token for each of 256 experts', async () => {
    const sizes = new Array<number>(256).fill(1)
    await checkPacked(device, plainCase(sizes))
    await checkMasked(device, plainCase(sizes), 1)
  })

  it('multiplies when the only token goes to the last of 256 experts', async () => {
    const sizes = new Array<number>(255).fill(0).concat(1)
    await checkPacked(device, plainCase(sizes))
    await checkMasked(device, plainCase(sizes))
    await checkContiguous(device, plainCase(sizes))
  })

  it('multiplies when all tokens go to one expert', async () => {
    await checkPacked(device, plainCase([0, 400, 0, 0]))
    await checkMasked(device, plainCase([0, 400, 0, 0]), 0, 1)
  })

  it('writes nothing when all groups are empty', async () => {
    await checkPacked(device, plainCase([0, 0, 0]), 2, 3)
    await checkMasked(device, plainCase([0, 0, 0]), 3)
  })
})
