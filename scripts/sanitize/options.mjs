// What the sanitizers are told at run time.

const OPTIONS = {
  address: {
    ASAN_OPTIONS: [
      // Node and V8 end with much memory in use, and every stack of the addon begins in Node, so that
      // no rule can tell theirs from ours. The tests count our own handles; the kernels' tests and the
      // fuzzers run with the detector.
      'detect_leaks=0',
      // Absurd sizes are refused with our own error, as without the sanitizer.
      'allocator_may_return_null=1',
    ],
    UBSAN_OPTIONS: ['print_stacktrace=1'],
  },
  thread: {
    TSAN_OPTIONS: [
      // Node, V8 and the bundler of the tests are not built for this: their atomics cannot be seen. What
      // they call still orders events (mutexes, threads); only accesses in our own code are judged.
      'ignore_noninstrumented_modules=1',
      'second_deadlock_stack=1',
      'halt_on_error=1',
    ],
  },
}

/**
 * @param {keyof typeof OPTIONS} kind
 * @returns {Record<string, string>}
 */
export function optionsOf(kind) {
  return Object.fromEntries(
    Object.entries(OPTIONS[kind]).map(([name, list]) => [name, list.join(':')]),
  )
}
