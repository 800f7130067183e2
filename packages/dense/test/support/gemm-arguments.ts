// What the fake driver was given with the last product.

import { SM90_ARGUMENTS as AT } from '@deepgemm/core/sm90'
import { expect } from 'vitest'
import type { FakeCuda } from '../../../runtime/test/support/fake-cuda.js'

/** A number among the arguments that the last product was given. */
export function argument(fake: FakeCuda, name: Exclude<keyof typeof AT, 'bytes'>): number {
  return argumentsOf(fake).getUint32(AT[name], true)
}

/** An address among them. */
export function address(fake: FakeCuda, name: Exclude<keyof typeof AT, 'bytes'>): bigint {
  return argumentsOf(fake).getBigUint64(AT[name], true)
}

function argumentsOf(fake: FakeCuda): DataView {
  const bytes = fake.lastArguments()
  expect(bytes).toHaveLength(AT.bytes)
  return new DataView(bytes.buffer, bytes.byteOffset)
}
