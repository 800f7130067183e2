// What headers of newer libraries take from them, here instead. See old_libraries.h.

#include <new>

#if defined(__GLIBC__)

// Whether this process has one thread (glibc 2.32): std::shared_ptr then counts without atomics.
// Node has many.
extern "C" {
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;
}

namespace std {
// What `new T[n]` calls for an absurd n (libstdc++ 3.4.29).
__attribute__((visibility("hidden"))) void __throw_bad_array_new_length() {
  throw bad_array_new_length();
}
}  // namespace std

// Counting references to an exception, inlined into our code since libstdc++ 11 (1.3.13): here by
// what std::exception_ptr was copied and destroyed with before, which every libstdc++ still has.
extern "C" {
void copy_exception(void* target,
                    const void* source) asm("_ZNSt15__exception_ptr13exception_ptrC1ERKS0_");
void destroy_exception(void* pointer) asm("_ZNSt15__exception_ptr13exception_ptrD1Ev");

__attribute__((visibility("hidden"))) void add_reference(void* pointer) asm(
    "_ZNSt15__exception_ptr13exception_ptr9_M_addrefEv");
__attribute__((visibility("hidden"))) void release_reference(void** pointer) asm(
    "_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");

void add_reference(void* pointer) {
  void* uncounted;
  copy_exception(&uncounted, pointer);
}

void release_reference(void** pointer) {
  destroy_exception(pointer);
  *pointer = nullptr;
}
}
#endif
