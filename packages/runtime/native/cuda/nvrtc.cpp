#include "nvrtc.h"

#include <map>
#include <memory>
#include <mutex>

namespace deepgemm::cuda {
namespace {

constexpr int kCompilationError = 6;  // NVRTC_ERROR_COMPILATION

template <typename Function>
void find(Library& library, Function& function, const char* symbol) {
  function = reinterpret_cast<Function>(library.symbol(symbol));
}

}  // namespace

// A program, from its creation to its end; throws what failed as text.
struct Nvrtc::Scope {
  const Nvrtc& nvrtc;
  Program program = nullptr;

  ~Scope() {
    if (program != nullptr) nvrtc.destroy_(&program);
  }

  void check(int status, const char* call) const {
    if (status != 0) throw std::string(call) + ": " + nvrtc.error_string_(status);
  }

  std::string log() const {
    size_t bytes = 0;
    check(nvrtc.log_size_(program, &bytes), "nvrtcGetProgramLogSize");
    std::string text(bytes, '\0');
    if (bytes > 0) check(nvrtc.log_(program, text.data()), "nvrtcGetProgramLog");
    while (!text.empty() && text.back() == '\0') text.pop_back();
    return text;
  }

  std::vector<char> cubin() const {
    size_t bytes = 0;
    check(nvrtc.cubin_size_(program, &bytes), "nvrtcGetCUBINSize");
    std::vector<char> image(bytes);
    if (bytes > 0) check(nvrtc.cubin_(program, image.data()), "nvrtcGetCUBIN");
    return image;
  }
};

Nvrtc::Nvrtc(const std::string& path) : library_(path) {
  find(library_, version_, "nvrtcVersion");
  find(library_, error_string_, "nvrtcGetErrorString");
  find(library_, create_, "nvrtcCreateProgram");
  find(library_, destroy_, "nvrtcDestroyProgram");
  find(library_, compile_, "nvrtcCompileProgram");
  find(library_, cubin_size_, "nvrtcGetCUBINSize");
  find(library_, cubin_, "nvrtcGetCUBIN");
  find(library_, log_size_, "nvrtcGetProgramLogSize");
  find(library_, log_, "nvrtcGetProgramLog");
  if (usable()) load_builtins(path);
}

// NVRTC asks for its builtins by name alone. Where it lies in a folder that is not on the linker's
// path, that finds them only when they are loaded already.
void Nvrtc::load_builtins(const std::string& path) const {
  const size_t slash = path.rfind('/');
  int major = 0;
  int minor = 0;
  if (slash == std::string::npos || !version(&major, &minor)) return;
  const std::string name =
      "libnvrtc-builtins.so." + std::to_string(major) + "." + std::to_string(minor);
  // Where it is missing, the first compile says so.
  const Library builtins(path.substr(0, slash + 1) + name);
}

const Nvrtc& Nvrtc::at(const std::string& path) {
  static std::mutex mutex;
  // Never destroyed: a compile may still run while the process exits.
  static auto* libraries = new std::map<std::string, std::unique_ptr<Nvrtc>>();
  std::lock_guard lock(mutex);
  std::unique_ptr<Nvrtc>& nvrtc = (*libraries)[path];
  if (!nvrtc || !nvrtc->library_.loaded()) nvrtc = std::make_unique<Nvrtc>(path);
  return *nvrtc;
}

Nvrtc::Result Nvrtc::compile(const std::string& source, const std::string& name,
                             const std::vector<std::string>& options) const {
  Result result;
  Scope scope{*this};
  try {
    scope.check(create_(&scope.program, source.c_str(), name.c_str(), 0, nullptr, nullptr),
                "nvrtcCreateProgram");
    std::vector<const char*> list;
    for (const std::string& option : options) list.push_back(option.c_str());
    const int status = compile_(scope.program, static_cast<int>(list.size()), list.data());
    if (status != kCompilationError) scope.check(status, "nvrtcCompileProgram");
    result.log = scope.log();
    result.compiled = status == 0;
    if (result.compiled) result.cubin = scope.cubin();
  } catch (const std::string& failure) {
    result.failure = failure;
  }
  return result;
}

}  // namespace deepgemm::cuda
