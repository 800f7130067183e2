import { cacheFindings } from '../doctor/caches.js'
import { compilerFindings } from '../doctor/compilers.js'
import type { Finding, FindingState } from '../doctor/finding.js'
import { gpuFindings } from '../doctor/gpus.js'
import { addonFindings, environmentFindings, nodeFinding } from '../doctor/machine.js'
import { selfTest } from '../doctor/self-test.js'
import { selfTestGpu } from '../doctor/self-test-gpu.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

/** `deepgemm doctor`: exit code 1 when something does not work. */
export async function doctorCommand(terminal: Terminal): Promise<number> {
  const findings: Finding[] = []
  const tell = (...found: readonly Finding[]): void => {
    findings.push(...found)
    for (const finding of found) print(terminal, finding)
  }
  tell(nodeFinding(), ...environmentFindings(process.env))
  const addon = addonFindings()
  tell(...addon)
  const hasAddon = addon.every(({ state }) => state === 'ok')
  const gpus = hasAddon ? await gpuFindings() : { findings: [], usable: [] }
  tell(...gpus.findings)
  if (hasAddon) tell(...(await compilerFindings(gpus.usable.length > 0)))
  tell(...(await cacheFindings()))
  if (hasAddon) tell(await selfTest('cpu'))
  const [first, ...others] = gpus.usable
  if (first !== undefined) tell(await selfTest('cuda'))
  for (const ordinal of others) tell(await selfTestGpu(ordinal))
  return conclude(terminal, findings)
}

function conclude(terminal: Terminal, findings: readonly Finding[]): number {
  const problems = findings.filter(({ state }) => state === 'problem').length
  const healthy = problems === 0
  const count = `${problems} problem${problems === 1 ? '' : 's'}`
  say(terminal, healthy ? 'All is well' : `${count}: see above for what to do`)
  sayJson(terminal, { healthy, findings })
  return healthy ? 0 : 1
}

function print(terminal: Terminal, { name, state, detail, remedy }: Finding): void {
  const { green, yellow, red } = terminal.colors
  const marks: Record<FindingState, string> = {
    ok: green('ok     '),
    note: yellow('note   '),
    problem: red('PROBLEM'),
  }
  say(terminal, `${marks[state]}  ${name}: ${detail}`)
  if (remedy !== undefined) say(terminal, `         -> ${remedy}`)
}
