import { DeepGemmError } from '@deepgemm/core'

/** What an error must be: its class, and parts of what it says was given and is allowed. */
export type Refusal = {
  readonly error: new (subject: string) => DeepGemmError
  readonly given?: string
  readonly allowed?: string
}

/**
 * Throws unless `act` fails with an error of that class, with the code of the class and a message
 * that says what was given and what is allowed; returns the error.
 */
export async function expectRefusal(
  act: () => unknown,
  { error: Class, given, allowed }: Refusal,
): Promise<DeepGemmError> {
  const error = await failureOf(act)
  const { message } = error
  if (!(error instanceof Class)) throw unlike(error, `a ${Class.name}`)
  if (error.code !== new Class('').code) throw unlike(error, `the code ${new Class('').code}`)
  if (!says(error.given, given)) throw unlike(error, `given ${given}`)
  if (!says(error.allowed, allowed)) throw unlike(error, `allowed ${allowed}`)
  if (!says(message, error.given && `given ${error.given}`)) throw unlike(error, 'what was given')
  if (!says(message, error.allowed && `allowed ${error.allowed}`)) {
    throw unlike(error, 'what is allowed')
  }
  return error
}

function says(text: string | undefined, wanted: string | undefined): boolean {
  return wanted === undefined || text?.includes(wanted) === true
}

function unlike({ name, code, message }: DeepGemmError, wanted: string): Error {
  return new Error(`the refusal lacks ${wanted}: ${name} ${code} ${message}`)
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
