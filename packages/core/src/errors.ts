/** What an error says besides its subject: the value given, what would have been allowed, and what to do. */
export type ErrorDetail = {
  readonly given?: string
  readonly allowed?: string
  readonly remedy?: string
  /** Stable, machine-readable; defaults to the class's own code. */
  readonly code?: string
  readonly cause?: unknown
}

/**
 * Base of every error this library throws on purpose.
 *
 * `message` reads "subject: given …; allowed …. remedy"; the parts are also properties, and `code`
 * is stable across versions.
 */
export class DeepGemmError extends Error {
  readonly code: string
  readonly given: string | undefined
  readonly allowed: string | undefined
  readonly remedy: string | undefined

  constructor(subject: string, detail: ErrorDetail = {}, defaultCode = 'ERR_DEEPGEMM') {
    super(sentence(subject, detail), detail.cause === undefined ? {} : { cause: detail.cause })
    this.name = new.target.name
    this.code = detail.code ?? defaultCode
    this.given = detail.given
    this.allowed = detail.allowed
    this.remedy = detail.remedy
  }
}

function sentence(subject: string, { given, allowed, remedy }: ErrorDetail): string {
  const facts = [
    given === undefined ? '' : `given ${given}`,
    allowed === undefined ? '' : `allowed ${allowed}`,
  ].filter((part) => part !== '')
  const head = facts.length === 0 ? subject : `${subject}: ${facts.join('; ')}`
  return remedy === undefined ? head : `${head}. ${remedy}`
}

/** A shape, rank or extent that the operation cannot take. */
export class ShapeError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_SHAPE')
  }
}

/** A dtype that the operation cannot take, or data that does not match its dtype. */
export class DTypeError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_DTYPE')
  }
}

/** Strides, alignment or orientation that the operation cannot take. */
export class LayoutError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_LAYOUT')
  }
}

/** A scaling recipe or scale dtype that the operation cannot take. */
export class RecipeError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_RECIPE')
  }
}

/** Group sizes, offsets or indices of a grouped GEMM that do not describe the operands. */
export class GroupError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_GROUP')
  }
}

/** Use of a buffer, tensor, stream or device after it was disposed. */
export class DisposedError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_DISPOSED')
  }
}

/** No such device, a device that cannot be used, or operands on different devices. */
export class DeviceError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_DEVICE')
  }
}

/** An option that does not exist or whose value is not allowed. */
export class OptionError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_OPTION')
  }
}

/** The native addon could not be loaded or reported a failure. */
export class NativeError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_NATIVE')
  }
}

/** A checkpoint or safetensors file that is damaged, hostile or incomplete. */
export class CheckpointError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_CHECKPOINT')
  }
}

/** The kernel cache refused a directory or an entry. */
export class CacheError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_CACHE')
  }
}

/** A kernel did not compile, or there is no compiler. */
export class CompileError extends DeepGemmError {
  constructor(subject: string, detail?: ErrorDetail) {
    super(subject, detail, 'ERR_COMPILE')
  }
}
