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
  const { groups, layout } = call
  const report = stream.workspace(`check of ${layout} groups`, 12)
  const args = new ArgumentList('struct')
    .pointer(groups)
    .pointer(report)
    .u32(groups.size)
    .u32(limitOf(call))
    .u32(scaleRowsOf(call))
  launchKernel(stream, groupCheckKernel(layout), args, { grid: [1], threads: THREADS })
  const { problem } = call
  stream.checkLater(report, () => requireNoReport(report, problem))
}

/** @throws {GroupError} */
async function requireNoReport(
  report: Tensor<'u8'>,
  problem: GroupedCall['problem'],
): Promise<void> {
  const bytes = await report.toBytes()
  const [place = 0, value = 0, isShared = 0] = new Int32Array(bytes.slice(0, 12).buffer)
  if (place === 0) return
  await report.storage.write(0, new Uint8Array(12))
  throw isShared === 1 ? sharedRowsError(place - 1, value) : rangeError(problem, place - 1, value)
}
