#include "error.h"

#include <string>

namespace deepgemm::cuda {
namespace {

std::string name_of(const Driver& driver, CUresult status) {
  const char* name = nullptr;
  if (driver.error_name.attempt(status, &name) == kSuccess && name != nullptr) return name;
  return "CUDA error " + std::to_string(status);
}

std::string text_of(const Driver& driver, CUresult status) {
  const char* text = nullptr;
  if (driver.error_string.attempt(status, &text) == kSuccess && text != nullptr) return text;
  return "";
}

}  // namespace

Napi::Error to_error(Napi::Env env, const Driver& driver, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.call);
  error.Set("code", "ERR_CUDA");
  error.Set("given", name_of(driver, failure.status));
  error.Set("allowed", text_of(driver, failure.status));
  return error;
}

JobError to_job_error(const Driver& driver, const Failure& failure) {
  return {"ERR_CUDA", failure.call, name_of(driver, failure.status),
          text_of(driver, failure.status)};
}

}  // namespace deepgemm::cuda
