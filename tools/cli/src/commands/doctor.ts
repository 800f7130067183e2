import { Device, type DeviceInfo } from 'deepgemm'
import { describeDevice } from '../device.js'
import { errorSentence } from '../errors.js'
import { type GemmTrial, tryGemm } from '../gemm-trial.js'
import { formatError } from '../output/format.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

/** One thing that was looked at. */
type Finding = { readonly name: string; readonly ok: boolean; readonly detail: string }

/** `deepgemm doctor`: exit code 1 when something does not work. */
export async function doctorCommand(terminal: Terminal): Promise<number> {
  const findings = [nodeFinding(), ...(await deviceFindings())]
  for (const { name, ok, detail } of findings) {
    const mark = ok ? terminal.colors.green('ok') : terminal.colors.red('problem')
    say(terminal, `${mark}  ${name}: ${detail}`)
  }
  const healthy = findings.every(({ ok }) => ok)
  sayJson(terminal, { healthy, findings })
  return healthy ? 0 : 1
}

function nodeFinding(): Finding {
  const { node, napi } = process.versions
  return {
    name: 'Node.js',
    ok: Number(napi) >= 9,
    detail: `${node}, Node-API ${napi}, ${process.platform}-${process.arch}`,
  }
}

async function deviceFindings(): Promise<Finding[]> {
  let devices: DeviceInfo[]
  try {
    devices = await Device.list()
  } catch (error) {
    return [{ name: 'Native addon', ok: false, detail: errorSentence(error) }]
  }
  const findings = [{ name: 'Native addon', ok: true, detail: 'loaded' }]
  const gpus = devices.filter(({ kind }) => kind === 'cuda')
  const hosts = devices.filter(({ kind }) => kind === 'cpu')
  findings.push(...(gpus.length === 0 ? [NO_GPU] : gpus.map(gpuFinding)))
  for (const info of hosts) findings.push(await selfTest(info))
  return findings
}

const NO_GPU: Finding = { name: 'GPU', ok: true, detail: 'no CUDA driver found; the CPU computes' }

/** A GPU that cannot be used is no fault: the CPU takes its place. */
function gpuFinding({ name, architecture, problem }: DeviceInfo): Finding {
  const use = problem ?? 'usable, but products run on the CPU in this version'
  return { name: 'GPU', ok: true, detail: `${name}, ${architecture}: ${use}` }
}

/** A small product on the device, checked against float64. */
async function selfTest({ kind }: DeviceInfo): Promise<Finding> {
  const name = `Device ${kind}`
  try {
    await using device = await Device.open({ kind })
    const trial = await tryGemm(device, { m: 96, n: 200, k: 500, out: 'f32', repeats: 5 })
    const ok = trial.maxError <= trial.errorBound
    return { name, ok, detail: `${describeDevice(device)}; ${outcome(trial, ok)}` }
  } catch (error) {
    return { name, ok: false, detail: errorSentence(error) }
  }
}

function outcome({ maxError }: GemmTrial, ok: boolean): string {
  return ok
    ? `self-test correct (largest error ${formatError(maxError)})`
    : `self-test WRONG: error ${formatError(maxError)}. Please report it with this output`
}
