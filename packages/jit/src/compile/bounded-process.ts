import { type ChildProcess, spawn } from 'node:child_process'

export type ProcessLimits = {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly timeoutMs: number
  /** Output beyond this many bytes is dropped; the process goes on. */
  readonly maxOutputBytes: number
}

export type ProcessResult = {
  readonly exitCode: number | null
  readonly timedOut: boolean
  /** Standard output and standard error, in the order of arrival. */
  readonly output: string
}

/**
 * Runs a program without a shell, for a bounded time and with bounded output. At the time limit the
 * program and everything it started are killed: it leads a process group of its own.
 * Rejects only when the program cannot be started.
 */
export function runBounded(
  file: string,
  args: readonly string[],
  limits: ProcessLimits,
): Promise<ProcessResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: limits.cwd,
      env: limits.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    const read = collectOutput(child, limits.maxOutputBytes)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      killGroup(child)
    }, limits.timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (exitCode) => {
      clearTimeout(timer)
      resolve({ exitCode, timedOut, output: read() })
    })
  })
}

function collectOutput(child: ChildProcess, limit: number): () => string {
  const chunks: Buffer[] = []
  let room = limit
  const take = (chunk: Buffer): void => {
    if (room > 0) chunks.push(chunk.subarray(0, room))
    room -= chunk.length
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  return () => Buffer.concat(chunks).toString('utf8') + (room < 0 ? '\n… output cut' : '')
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL')
  } catch {
    // It ended between the time limit and the signal.
  }
}
