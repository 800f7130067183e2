// Checks of group data on a GPU: a kernel reports the first bad place, the stream's next
// `synchronize` reads the report.

import type { GroupLayout, Tensor } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import type { GroupedCall } from '../grouped/call.js'
import { rangeError, sharedRowsError } from '../grouped/indices.js'
import { kernelSpec, launchKernel } from './kernel.js'

const THREADS = 1024
const MOST_COUNT = 2 ** 32 - 1
/** Place and value of the first bad entry, and whether two groups share its rows. */
const REPORT_BYTES = 12

const LAYOUT_NAMES: Readonly<Record<GroupLayout, string>> = {
  contiguous: 'Layout::kContiguous',
  packed: 'Layout::kPacked',
  masked: 'Layout::kMasked',
  'k-grouped': 'Layout::kKGrouped',
}

/** `entry/check_groups.cu` */
export function groupCheckKernel(layout: GroupLayout): DeviceKernelSpec {
  return kernelSpec('check_groups', 'CheckConfig', { kLayout: LAYOUT_NAMES[layout] })
}

/** The largest value that the group data may have. */
function limitOf({ layout, problem }: GroupedCall): number {
  if (layout === 'contiguous') return problem.groups
  return layout === 'k-grouped' ? problem.k : problem.m
}

function scaleRowsOf(call: GroupedCall): number {
  if (call.layout !== 'k-grouped') return MOST_COUNT
  return Math.min(call.a.scales.shape[0] as number, call.b.scales.shape[0] as number)
}

/** Enqueues the check, and has the next `synchronize` of the stream reject with what it found. */
export function checkGroupsLater(stream: CudaStream, call: GroupedCall): void {
  const { layout, problem, awaited } = call
  const label = `check of ${layout} groups`
  if (!awaited) {
    const report = stream.workspace(label, REPORT_BYTES)
    enqueueCheck(stream, call, report)
    stream.checkLater(report, () => requireNoReport(report, problem))
    return
  }
  // A report that products share would show one caller what is wrong with another's.
  const own = stream.device.zeros({ dtype: 'u8', shape: [REPORT_BYTES], label })
  try {
    enqueueCheck(stream, call, own)
  } catch (error) {
    own.dispose()
    throw error
  }
  stream.checkLater(own, () => requireNoReport(own, problem).finally(() => own.dispose()))
}

function enqueueCheck(stream: CudaStream, call: GroupedCall, report: Tensor<'u8'>): void {
  const { groups, layout } = call
  const args = new ArgumentList('struct')
    .pointer(groups)
    .pointer(report)
    .u32(groups.size)
    .u32(limitOf(call))
    .u32(scaleRowsOf(call))
  launchKernel(stream, groupCheckKernel(layout), args, { grid: [1], threads: THREADS })
}

/** @throws {GroupError} */
async function requireNoReport(
  report: Tensor<'u8'>,
  problem: GroupedCall['problem'],
): Promise<void> {
  const bytes = await report.toBytes()
  const [place = 0, value = 0, isShared = 0] = new Int32Array(bytes.slice(0, REPORT_BYTES).buffer)
  if (place === 0) return
  await report.storage.write(0, new Uint8Array(REPORT_BYTES))
  throw isShared === 1 ? sharedRowsError(place - 1, value) : rangeError(problem, place - 1, value)
}
