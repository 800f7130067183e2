#include <algorithm>
#include <cmath>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "deepgemm/cpu/pool.hpp"
#include "pool/cgroup.hpp"

namespace deepgemm::cpu {
namespace {

int affinity_count() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int default_threads() {
  int threads = std::max(affinity_count(), 1);
  if (const auto quota = cgroup_quota("/proc/self/cgroup", "/sys/fs/cgroup")) {
    threads = std::min(threads, std::max(1, static_cast<int>(std::ceil(*quota))));
  }
  return threads;
}

}  // namespace deepgemm::cpu
