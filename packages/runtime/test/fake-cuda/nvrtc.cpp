// The run-time compiler: a source with "#error" does not compile, any other becomes an ELF header
// and itself.

#include <cstring>

#include "world.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace fake;

namespace {

struct Program {
  std::string source;
  std::string log;
  std::string cubin;
};

Program* box(void* program) { return static_cast<Program*>(program); }

}  // namespace

EXPORT int nvrtcVersion(int* major, int* minor) {
  if (int status = begin("nvrtcVersion", false)) return status;
  *major = 12;
  *minor = 8;
  return 0;
}

EXPORT const char* nvrtcGetErrorString(int) { return "NVRTC_ERROR_INTERNAL_ERROR"; }

EXPORT int nvrtcCreateProgram(void** program, const char* source, const char*, int,
                              const char* const*, const char* const*) {
  if (int status = begin("nvrtcCreateProgram", false)) return status;
  *program = new Program{source, "", ""};
  count_live("program", 1);
  return 0;
}

EXPORT int nvrtcDestroyProgram(void** program) {
  delete box(*program);
  *program = nullptr;
  count_live("program", -1);
  return release("nvrtcDestroyProgram");
}

EXPORT int nvrtcCompileProgram(void* program, int count, const char* const* options) {
  if (int status = begin("nvrtcCompileProgram", false)) return status;
  Program& it = *box(program);
  for (int i = 0; i < count; i++) it.log += std::string(options[i]) + "\n";
  if (it.source.find("#error") != std::string::npos) {
    it.log += "kernel.cu(1): error: #error";
    return 6;
  }
  it.cubin = std::string(
                 "\x7f"
                 "ELF") +
             std::string(60, '\0') + it.source;
  return 0;
}

EXPORT int nvrtcGetCUBINSize(void* program, size_t* bytes) {
  if (int status = begin("nvrtcGetCUBINSize", false)) return status;
  *bytes = box(program)->cubin.size();
  return 0;
}

EXPORT int nvrtcGetCUBIN(void* program, char* to) {
  if (int status = begin("nvrtcGetCUBIN", false)) return status;
  std::memcpy(to, box(program)->cubin.data(), box(program)->cubin.size());
  return 0;
}

EXPORT int nvrtcGetProgramLogSize(void* program, size_t* bytes) {
  if (int status = begin("nvrtcGetProgramLogSize", false)) return status;
  *bytes = box(program)->log.size() + 1;
  return 0;
}

EXPORT int nvrtcGetProgramLog(void* program, char* to) {
  if (int status = begin("nvrtcGetProgramLog", false)) return status;
  std::memcpy(to, box(program)->log.c_str(), box(program)->log.size() + 1);
  return 0;
}
