#include "library.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace deepgemm {

#if defined(_WIN32)

Library::Library(const std::string& path)
    : handle_(reinterpret_cast<void*>(LoadLibraryA(path.c_str()))) {
  if (handle_ == nullptr) reason_ = "error " + std::to_string(GetLastError());
}

void* Library::symbol(const char* name) {
  void* found = nullptr;
  if (loaded()) {
    found = reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), name));
  }
  if (found == nullptr) missing_.push_back(name);
  return found;
}

#else

Library::Library(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ != nullptr) return;
  const char* reason = dlerror();
  reason_ = reason == nullptr ? "unknown reason" : reason;
}

void* Library::symbol(const char* name) {
  void* found = loaded() ? dlsym(handle_, name) : nullptr;
  if (found == nullptr) missing_.push_back(name);
  return found;
}

#endif

}  // namespace deepgemm
