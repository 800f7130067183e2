// Where and when a GPU report was made.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

type GpuState = { readonly driver: string | null; readonly clocks: string | null }

const FIELDS = ['driver_version', 'clocks.max.sm', 'clocks.max.memory', 'power.limit'] as const

/** What nvidia-smi tells; nulls without it. */
export async function gpuState(): Promise<GpuState> {
  const args = [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader', '--id=0']
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', args, { timeout: 20_000 })
    return parseGpuState(stdout)
  } catch {
    return { driver: null, clocks: null }
  }
}

/** Pure: one line of comma-separated values. */
export function parseGpuState(text: string): GpuState {
  const [driver, sm, memory, power] = text.trim().split(/\s*,\s*/)
  if (power === undefined) return { driver: driver || null, clocks: null }
  return { driver: driver as string, clocks: `SM ${sm}, memory ${memory}, limit ${power}` }
}
