import { DeviceError, LayoutError, RecipeError, ShapeError } from './errors.js'
import type { GroupLayout } from './groups.js'
import { PrepackedWeights } from './prepacked.js'
import { type QuantizedTensor, requireQuantized } from './quantized.js'
import type { Recipe, ScaleDType } from './recipe.js'
import { showShape } from './shape.js'

/** Which operands are transposed, as in BLAS. NT: A is [M, K] and B is [N, K], both row-major. */
export type GemmForm = 'NT' | 'NN' | 'TN' | 'TT'

/** Dtypes a product can be written in. */
export type OutDType = 'bf16' | 'f32'

export const OUT_DTYPES: readonly OutDType[] = ['bf16', 'f32']

/** What is to be computed: everything that chooses a kernel, nothing about where data lies. */
export type GemmProblem = {
  readonly layout: 'dense' | GroupLayout
  /** Independent products: the batch of a dense problem, the experts of a grouped one. */
  readonly groups: number
  readonly m: number
  readonly n: number
  readonly k: number
  /** Recipe of B seen K-major: weights are `128x128`, weight gradients `1x128` on both sides. */
  readonly recipeB: '128x128' | '1x128'
  readonly scaleDTypes: { readonly a: ScaleDType; readonly b: ScaleDType }
  readonly out: OutDType
  readonly accumulate: boolean
}

/** One operand as the product sees it: rows of D by K, whatever way it is stored. */
export type OperandView = { readonly rows: number; readonly k: number; readonly recipe: Recipe }

/** What a dense product takes as B: weights as they are, or prepacked. */
export type GemmWeights = QuantizedTensor | PrepackedWeights

/** The view of an operand whose storage is [rows, K], or [K, rows] when `transposed`. */
export function operandView(operand: GemmWeights, transposed: boolean): OperandView {
  const [outer, inner] = [operand.shape.at(-2) as number, operand.shape.at(-1) as number]
  if (!transposed) return { rows: outer, k: inner, recipe: operand.recipe }
  return { rows: inner, k: outer, recipe: transposeRecipe(operand.recipe) }
}

/** The recipe of the transposed matrix. */
export function transposeRecipe(recipe: Recipe): Recipe {
  if (recipe === '1x128') return '128x1'
  return recipe === '128x1' ? '1x128' : recipe
}

/** Options of a dense problem that its operands do not tell. */
export type DenseOptions = { readonly out: OutDType; readonly accumulate: boolean }

/**
 * The dense problem that two operands pose, [M, K] and [N, K] as `form` stores them, or batches
 * [G, …] of both.
 *
 * @throws {ShapeError | RecipeError | DeviceError} when they do not pose one
 * @throws {DisposedError}
 */
export function denseProblem(
  form: GemmForm,
  a: QuantizedTensor,
  b: GemmWeights,
  options: DenseOptions,
): GemmProblem {
  requireQuantized('Operand A', a).requireLive()
  requireWeights(form, b).requireLive()
  requireSameDevice(a, b)
  requireReadableWeights(b)
  const va = operandView(a, form[0] === 'T')
  const vb = operandView(b, form[1] === 'N')
  requireMatchingK(form, a, b, va.k === vb.k)
  requireGemmRecipes(form, va.recipe, vb.recipe)
  const groups = batchOf(a, b)
  return {
    layout: 'dense',
    groups,
    m: va.rows,
    n: vb.rows,
    k: va.k,
    recipeB: vb.recipe as '128x128' | '1x128',
    scaleDTypes: { a: a.scales.dtype, b: b.scales.dtype },
    ...options,
  }
}

/** @throws {DTypeError | LayoutError} */
function requireWeights(form: GemmForm, b: GemmWeights): GemmWeights {
  if (!(b instanceof PrepackedWeights)) return requireQuantized('Operand B', b)
  if (form === 'NT') return b
  throw new LayoutError('Prepacked weights are the B of NT products alone', {
    given: form,
    allowed: 'NT',
    remedy: 'Use fp8GemmNT, or weights that are not prepacked.',
  })
}

/** @throws {DeviceError} when the kernels of their device do not read such weights. */
export function requireReadableWeights(b: GemmWeights): void {
  if (b.device.kind === 'cpu' || !(b instanceof PrepackedWeights)) return
  throw new DeviceError('Prepacked weights are for products on a CPU', {
    given: b.device.id,
    allowed: 'a CPU device',
    remedy: 'Give the weights as they are: the kernels of a GPU read them so.',
  })
}

/** @throws {DeviceError} */
export function requireSameDevice(a: QuantizedTensor, b: GemmWeights): void {
  if (a.device.id === b.device.id) return
  throw new DeviceError('A and B are on different devices', {
    given: `${a.device.id} and ${b.device.id}`,
    allowed: 'one device for all operands',
    remedy: 'Quantise both on one device.',
  })
}

function requireMatchingK(form: GemmForm, a: QuantizedTensor, b: GemmWeights, ok: boolean): void {
  if (ok) return
  throw new ShapeError(`${form} operands disagree in K`, {
    given: `A ${showShape(a.shape)} and B ${showShape(b.shape)}`,
    allowed: `A ${form[0] === 'T' ? '[K, M]' : '[M, K]'} and B ${form[1] === 'N' ? '[K, N]' : '[N, K]'}`,
  })
}

/**
 * Seen K-major, A must be `1x128` and B `128x128` or `1x128`.
 *
 * @throws {RecipeError}
 */
export function requireGemmRecipes(form: GemmForm, a: Recipe, b: Recipe): void {
  const show = (recipe: Recipe, stored: boolean): Recipe =>
    stored ? transposeRecipe(recipe) : recipe
  const ta = form[0] === 'T'
  const tb = form[1] === 'N'
  if (a !== '1x128') {
    throw new RecipeError(`${form}: operand A has the wrong scaling recipe`, {
      given: show(a, ta),
      allowed: show('1x128', ta),
      remedy: 'Blocks of A must run along K and share no rows.',
    })
  }
  if (b === '128x1') {
    throw new RecipeError(`${form}: operand B has the wrong scaling recipe`, {
      given: show(b, tb),
      allowed: `128x128 or ${show('1x128', tb)}`,
      remedy: 'Blocks of B must run along K.',
    })
  }
}

function batchOf(a: QuantizedTensor, b: GemmWeights): number {
  const lead = (shape: readonly number[]): number => (shape.length === 3 ? (shape[0] as number) : 1)
  if (a.shape.length === b.shape.length && lead(a.shape) === lead(b.shape)) return lead(a.shape)
  throw new ShapeError('A and B are not batches of the same size', {
    given: `A ${showShape(a.shape)} and B ${showShape(b.shape)}`,
    allowed: 'two matrices, or two batches with the same leading dimension',
  })
}
