#pragma once

#include "api.h"

namespace deepgemm::cuda {

// What a driver call that failed is thrown as: which call, and what it answered.
struct Failure {
  const char* call;
  CUresult status;
};

}  // namespace deepgemm::cuda
