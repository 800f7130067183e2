#pragma once

#include <napi.h>

#include <optional>

#include "../stream_core.h"
#include "driver.h"

namespace deepgemm::cuda {

// A failure as JavaScript gets it: the message is the call, `given` CUDA's name of the status,
// `allowed` its text.
Napi::Error to_error(Napi::Env env, const Driver& driver, const Failure& failure);

// The same for a job, whose waiters are told.
JobError to_job_error(const Driver& driver, const Failure& failure);

// Runs `body` where JavaScript called; failures become JavaScript errors.
template <typename Body>
auto guarded(Napi::Env env, const Driver& driver, Body body) {
  try {
    return body();
  } catch (const Failure& failure) {
    throw to_error(env, driver, failure);
  }
}

// Runs `body` as a stream's job; failures become job errors.
template <typename Body>
std::optional<JobError> guarded_job(const Driver& driver, Body body) {
  try {
    body();
    return std::nullopt;
  } catch (const Failure& failure) {
    return to_job_error(driver, failure);
  }
}

}  // namespace deepgemm::cuda
