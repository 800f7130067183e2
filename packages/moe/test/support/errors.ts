import type { DeepGemmError } from '@deepgemm/core'
import { expect } from 'vitest'

type ErrorClass = new (...args: never[]) => DeepGemmError

/** Expects that the action fails with an error of that class whose message has all the words. */
export async function expectError(
  action: () => unknown,
  Class: ErrorClass,
  ...words: readonly string[]
): Promise<void> {
  const error = await (async () => action())().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Class)
  for (const word of words) expect((error as Error).message).toContain(word)
}
