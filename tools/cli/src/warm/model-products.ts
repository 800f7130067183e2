import { Checkpoint, CheckpointError } from 'deepgemm'
import { checkpointProducts } from './layers.js'
import { type ModelProducts, namedModel, unknownModel } from './models.js'

/** The products of a named model or of the checkpoint in a folder. @throws {DeepGemmError} */
export async function modelProducts(model: string): Promise<ModelProducts> {
  const named = namedModel(model)
  if (named !== undefined) return named
  let checkpoint: Checkpoint
  try {
    checkpoint = await Checkpoint.open(model)
  } catch (error) {
    const isMissing = (error as { cause?: { code?: string } }).cause?.code === 'ENOENT'
    if (error instanceof CheckpointError && !isMissing) throw error
    throw unknownModel(model, error)
  }
  try {
    return checkpointProducts(checkpoint)
  } finally {
    await checkpoint.close()
  }
}
