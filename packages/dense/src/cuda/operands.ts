// Operands in the form that kernels read: K-major values, f32 scales, 1x128 ones mn-major and
// contiguous. What is not in that form is brought into it in workspace.

import {
  type DType,
  dtypeBytes,
  QuantizedTensor,
  Scales,
  Tensor,
  transposeRecipe,
} from '@deepgemm/core'
import { scaleRelayoutLaunch, transposeLaunch } from '@deepgemm/jit'
import type { CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import { ALIGNMENT } from './requirements.js'
import type { GemmWorkspace } from './workspace.js'

/** An operand [rows, K] that a kernel can read once `launch`, if there is one, has run. */
export type KernelOperand = {
  readonly operand: QuantizedTensor
  readonly launch: PreparedLaunch | undefined
}

/** How an operand is stored: its name, and whether with K outermost. */
export type OperandRole = { readonly name: 'A' | 'B'; readonly transposed: boolean }

export function kernelOperand(
  stream: CudaStream,
  source: QuantizedTensor,
  { name, transposed }: OperandRole,
  workspace: GemmWorkspace,
): KernelOperand {
  const { device } = stream
  const [rows, columns] = source.shape as readonly [number, number]
  if (transposed) {
    const recipe = transposeRecipe(source.recipe)
    const operand = workspace.operand(stream, name, [columns, rows], recipe)
    return { operand, launch: transposeLaunch(device, source, operand) }
  }
  if (hasKernelScales(source.scales)) return { operand: source, launch: undefined }
  const scales = workspace.scales(stream, name, [rows, columns], source.recipe)
  const launch = scaleRelayoutLaunch(device, source.scales, scales, { shape: [rows, columns] })
  return { operand: new QuantizedTensor(source.values, scales), launch }
}

/** 1x128 scales come through the copy engine, 128x128 ones row by row. */
function hasKernelScales({ recipe, dtype, orientation, tensor }: Scales): boolean {
  if (dtype !== 'f32') return false
  if (recipe !== '1x128') return orientation === 'k-major' && tensor.strides[1] === 1
  return orientation === 'mn-major' && tensor.isContiguous && tensor.byteOffset % ALIGNMENT === 0
}

/** Matrix number `group` of a batch [G, R, C], or the matrix itself. */
export function groupOf(operand: QuantizedTensor, group: number): QuantizedTensor {
  if (operand.shape.length === 2) return operand
  const { recipe, orientation, tensor } = operand.scales
  const scales = new Scales(matrixOf(tensor, group), { recipe, orientation })
  return new QuantizedTensor(matrixOf(operand.values, group), scales)
}

/** The same of a plain tensor. */
export function matrixOf<D extends DType>(tensor: Tensor<D>, group: number): Tensor<D> {
  if (tensor.shape.length === 2) return tensor
  const { storage, dtype, shape, strides, byteOffset } = tensor
  const skipped = group * (strides[0] as number) * dtypeBytes(dtype)
  const layout = { dtype, shape: shape.slice(1), strides: strides.slice(1) }
  return new Tensor(storage, { ...layout, byteOffset: byteOffset + skipped })
}
