// Included before everything else on Linux x64. Binds symbols that glibc 2.34 and libstdc++ 12 gave
// a new version, without a new meaning, to the old one, so that the addon loads wherever Node does.
#pragma once

#if defined(__linux__) && defined(__x86_64__)
#include <features.h>
#if defined(__GLIBC__)
// In glibc 2.34 these moved from libdl and libpthread, both of which Node loads, into libc.
asm(".symver dlopen, dlopen@GLIBC_2.2.5");
asm(".symver dlsym, dlsym@GLIBC_2.2.5");
asm(".symver dlerror, dlerror@GLIBC_2.2.5");
asm(".symver pthread_once, pthread_once@GLIBC_2.2.5");
asm(".symver __pthread_key_create, __pthread_key_create@GLIBC_2.2.5");
// std::condition_variable::wait; version 3.4.30 calls the same function of pthread.
asm(".symver _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE, "
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");
#endif
#endif
