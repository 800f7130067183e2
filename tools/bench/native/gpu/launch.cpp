// Host time of cuLaunchKernel: `launch <count>` enqueues an empty kernel so often and answers the
// microseconds per launch. Arguments: a cubin with `bench_empty`, blocks, threads.

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "protocol.hpp"

namespace {

// The driver's entry points, without its header: the library is only there where a GPU is.
using Status = int;
using Handle = void*;

class Driver {
 public:
  Driver() {
    const char* path = std::getenv("DEEPGEMM_CUDA_LIBRARY");
    library_ = dlopen(path != nullptr && *path != 0 ? path : "libcuda.so.1", RTLD_NOW);
    if (library_ == nullptr) throw std::runtime_error(dlerror());
  }

  template <class... Types>
  void call(const char* name, Types... arguments) const {
    const Status status = find<Types...>(name)(arguments...);
    if (status != 0)
      throw std::runtime_error(std::string(name) + " says " + std::to_string(status));
  }

  template <class... Types>
  auto find(const char* name) const -> Status (*)(Types...) {
    void* found = dlsym(library_, name);
    if (found == nullptr) throw std::runtime_error(std::string("no entry point ") + name);
    return reinterpret_cast<Status (*)(Types...)>(found);
  }

 private:
  void* library_;
};

class Launcher {
 public:
  Launcher(const char* cubin, unsigned blocks, unsigned threads)
      : blocks_(blocks), threads_(threads) {
    int device = 0;
    Handle context = nullptr, module = nullptr;
    driver_.call("cuInit", 0u);
    driver_.call("cuDeviceGet", &device, 0);
    driver_.call("cuDevicePrimaryCtxRetain", &context, device);
    driver_.call("cuCtxSetCurrent", context);
    driver_.call("cuModuleLoad", &module, cubin);
    driver_.call("cuModuleGetFunction", &kernel_, module, "bench_empty");
    driver_.call("cuStreamCreate", &stream_, 1u);  // 1: not in order with the null stream
  }

  double microseconds(int count) const {
    const auto launch = driver_.find<Handle, unsigned, unsigned, unsigned, unsigned, unsigned,
                                     unsigned, unsigned, Handle, void**, void**>("cuLaunchKernel");
    driver_.call("cuStreamSynchronize", stream_);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; i++) {
      const Status status =
          launch(kernel_, blocks_, 1, 1, threads_, 1, 1, 0, stream_, nullptr, nullptr);
      if (status != 0) throw std::runtime_error("cuLaunchKernel says " + std::to_string(status));
    }
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    driver_.call("cuStreamSynchronize", stream_);
    return time.count() / count;
  }

 private:
  Driver driver_;
  Handle kernel_ = nullptr, stream_ = nullptr;
  unsigned blocks_, threads_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  try {
    const Launcher launcher(arguments[1], static_cast<unsigned>(std::stoul(arguments[2])),
                            static_cast<unsigned>(std::stoul(arguments[3])));
    return deepgemm::bench::serve([&](const std::string& command, std::istream& rest) {
      int launches = 0;
      if (command != "launch" || !(rest >> launches) || launches < 1) {
        throw std::runtime_error("unknown request " + command);
      }
      return launcher.microseconds(launches);
    });
  } catch (const std::exception& error) {
    std::printf("error %s\n", error.what());
    return 1;
  }
}
