// The same random problems on every device, each against the float64 oracle. A problem follows from
// its number alone: DEEPGEMM_TEST_SEED is the first, DEEPGEMM_TEST_PROBLEMS how many.

import { Device } from '@deepgemm/runtime'
import { availableDevices } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDenseKernels } from '../../dense/test/support/load-kernels.js'
import { KINDS, problem } from './support/problems.js'

const FIRST = Number(process.env['DEEPGEMM_TEST_SEED'] ?? 1)
const COUNT = Number(process.env['DEEPGEMM_TEST_PROBLEMS'] ?? 90)
/** Problems of one test: a failure tells early and a watcher sees progress. */
const PER_TEST = 45

const available = await availableDevices(Device)
/** Problems are legal on all devices, and a GPU takes fewer. */
const strictest = available.some(({ kind }) => kind === 'cuda') ? 'cuda' : 'cpu'

describe('random problems are the oracle’s on every device', () => {
  const devices: Device[] = []
  const done: Record<string, number> = {}

  beforeAll(async () => {
    for (const { open } of available) devices.push(await open())
    for (const device of devices) if (device.kind === 'cuda') await loadDenseKernels(device)
  }, 120_000)

  afterAll(async () => {
    for (const device of devices) {
      await device.dispose()
      expect(device.memory().buffers).toEqual([])
    }
    console.info(`numbers ${FIRST} to ${FIRST + COUNT - 1} on ${devices.length} devices:`, done)
  })

  const parts = Array.from({ length: Math.ceil(COUNT / PER_TEST) }, (_, i) => FIRST + i * PER_TEST)

  it.each(parts)(
    'from number %i on',
    async (first) => {
      const end = Math.min(first + PER_TEST, FIRST + COUNT)
      for (let number = first; number < end; number++) {
        const kind = KINDS[number % KINDS.length] as (typeof KINDS)[number]
        const check = problem(kind, number, strictest)
        for (const device of devices) {
          await check(device).catch((cause: unknown) => {
            throw new Error(`number ${number}, ${kind} on ${device.kind}`, { cause })
          })
        }
        done[kind] = (done[kind] ?? 0) + 1
      }
    },
    120_000,
  )
})
