import type { Checkpoint, CheckpointEntry, CheckpointWriter } from 'deepgemm'

type Job = {
  readonly checkpoint: Checkpoint
  readonly signal: AbortSignal
  /** Told the bytes of every piece that is done. */
  readonly advance: (bytes: number) => void
}

/** Copies a tensor as it is, piece by piece. */
export async function copyTensor(
  job: Job,
  writer: CheckpointWriter,
  { name }: CheckpointEntry,
): Promise<void> {
  for await (const chunk of job.checkpoint.chunks(name)) {
    job.signal.throwIfAborted()
    await writer.write(name, chunk)
    job.advance(chunk.byteLength)
  }
}
