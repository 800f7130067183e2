// Progress for a person: what is happening now, how long it took, and the full log only when it fails.

/** @param {string} text */
export function say(text) {
  process.stdout.write(`${text}\n`)
}

/** @param {number} since milliseconds, from performance.now() */
export function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

/**
 * Announces a step before it runs and its duration after.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const since = performance.now()
  process.stdout.write(`  ${title} ... `)
  try {
    const result = await work()
    say(seconds(since))
    return result
  } catch (error) {
    say('failed')
    throw error
  }
}

/** A failure whose message is all the reader needs: no stack trace is printed for it. */
export class PlainError extends Error {}

/**
 * Runs a script's main function; a PlainError becomes its message and exit code 1.
 * @param {() => Promise<number>} main resolves to the exit code
 */
export async function runMain(main) {
  try {
    process.exitCode = await main()
  } catch (error) {
    if (!(error instanceof PlainError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}
