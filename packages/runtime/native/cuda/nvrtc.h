#pragma once

#include <string>
#include <vector>

#include "library.h"

namespace deepgemm::cuda {

// The run-time compiler's library. Its programs are independent: several threads may compile.
class Nvrtc {
 public:
  struct Result {
    bool compiled = false;
    std::vector<char> cubin;
    std::string log;
    // Not empty when a call failed for another reason than the source: which, and what it said.
    std::string failure;
  };

  explicit Nvrtc(const std::string& path);

  // The library at `path`, opened on first use; lives as long as the process.
  static const Nvrtc& at(const std::string& path);

  const Library& library() const { return library_; }
  bool usable() const { return library_.loaded() && library_.missing().empty(); }

  // False when the library does not say.
  bool version(int* major, int* minor) const { return version_(major, minor) == 0; }

  Result compile(const std::string& source, const std::string& name,
                 const std::vector<std::string>& options) const;

 private:
  using Program = void*;
  struct Scope;

  void load_builtins(const std::string& path) const;

  Library library_;
  int (*version_)(int*, int*);
  const char* (*error_string_)(int);
  int (*create_)(Program*, const char*, const char*, int, const char* const*, const char* const*);
  int (*destroy_)(Program*);
  int (*compile_)(Program, int, const char* const*);
  int (*cubin_size_)(Program, size_t*);
  int (*cubin_)(Program, char*);
  int (*log_size_)(Program, size_t*);
  int (*log_)(Program, char*);
};

}  // namespace deepgemm::cuda
