import { DeepGemmError } from '@deepgemm/core'
import { expect } from 'vitest'

type Refusal = {
  readonly error: new (subject: string) => DeepGemmError
  readonly given?: string
  readonly allowed?: string
}

/** Expects an error of that class and its code that says what was given and what is allowed. */
export async function expectRefusal(
  act: () => unknown,
  { error: Class, given, allowed }: Refusal,
): Promise<DeepGemmError> {
  const error = await failureOf(act)
  expect(error).toBeInstanceOf(Class)
  expect(error.code).toBe(new Class('').code)
  if (given !== undefined) expect(error.given).toContain(given)
  if (allowed !== undefined) expect(error.allowed).toContain(allowed)
  if (error.given !== undefined) expect(error.message).toContain(`given ${error.given}`)
  if (error.allowed !== undefined) expect(error.message).toContain(`allowed ${error.allowed}`)
  return error
}

async function failureOf(act: () => unknown): Promise<DeepGemmError> {
  try {
    await act()
  } catch (error) {
    if (error instanceof DeepGemmError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
