#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu {
namespace {

int affinity_count() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Processors' worth of time that one cgroup directory grants, if it sets a limit.
std::optional<double> quota_of(const std::string& directory) {
  std::string quota;
  double period = 0;
  if (std::ifstream v2(directory + "/cpu.max"); v2 >> quota >> period) {
    if (quota == "max" || period <= 0) return std::nullopt;
    return std::stod(quota) / period;
  }
  double quota_us = 0;
  std::ifstream v1_quota(directory + "/cpu.cfs_quota_us");
  std::ifstream v1_period(directory + "/cpu.cfs_period_us");
  if (v1_quota >> quota_us && v1_period >> period && quota_us > 0 && period > 0) {
    return quota_us / period;
  }
  return std::nullopt;
}

// The tightest limit from this directory up to the mount point: a parent's quota binds as well.
std::optional<double> tightest_quota(const std::string& mount, std::string path) {
  std::optional<double> tightest;
  for (;;) {
    if (const auto quota = quota_of(mount + path))
      tightest = std::min(tightest.value_or(*quota), *quota);
    if (path.empty()) return tightest;
    path.resize(std::min(path.find_last_of('/'), path.size()));
  }
}

// Lines of /proc/self/cgroup read "id:controllers:path"; version 2 has no controllers.
std::optional<double> cgroup_quota() {
  std::optional<double> tightest;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    const bool has_cpu = ("," + controllers + ",").find(",cpu,") != std::string::npos;
    if (!controllers.empty() && !has_cpu) continue;
    const std::string mount =
        controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controllers;
    if (const auto quota = tightest_quota(mount, path)) {
      tightest = std::min(tightest.value_or(*quota), *quota);
    }
  }
  return tightest;
}

}  // namespace

int default_threads() {
  int threads = std::max(affinity_count(), 1);
  if (const auto quota = cgroup_quota()) {
    threads = std::min(threads, std::max(1, static_cast<int>(std::ceil(*quota))));
  }
  return threads;
}

}  // namespace deepgemm::cpu
