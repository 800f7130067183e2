import { DeepGemmError } from '@deepgemm/core'
import { expect } from 'vitest'

/** The error that `act` throws, which must be one of this library's. */
export function refusal(act: () => unknown): DeepGemmError {
  try {
    act()
  } catch (error) {
    if (error instanceof DeepGemmError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** Asserts class, code, and that the message says what was given and what is allowed. */
export function expectRefusal(
  act: () => unknown,
  Class: new (subject: string) => DeepGemmError,
  { given, allowed }: { given: string; allowed: string },
): void {
  const error = refusal(act)
  expect(error).toBeInstanceOf(Class)
  expect(error.name).toBe(Class.name)
  expect(error.code).toBe(new Class('').code)
  expect(error.given).toContain(given)
  expect(error.allowed).toContain(allowed)
  expect(error.message).toContain(`given ${error.given}`)
  expect(error.message).toContain(`allowed ${error.allowed}`)
}
