/** Disposes tensors at the end of a property's run, which is repeated hundreds of times. */
export function disposeAll(...owners: readonly { dispose(): void }[]): void {
  for (const owner of owners) owner.dispose()
}
