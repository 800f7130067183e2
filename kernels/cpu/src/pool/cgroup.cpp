#include "pool/cgroup.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace deepgemm::cpu {
namespace {

// Processors' worth of time that one cgroup directory grants, if it sets a limit.
std::optional<double> quota_of(const std::string& directory) {
  std::string quota;
  double period = 0;
  if (std::ifstream v2(directory + "/cpu.max"); v2 >> quota >> period) {
    const double granted = std::strtod(quota.c_str(), nullptr);  // 0 for "max"
    return granted > 0 && period > 0 ? std::optional(granted / period) : std::nullopt;
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

std::optional<double> tighter(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

// Lines of the file read "id:controllers:path"; version 2 has no controllers. Version 1 mounts a
// hierarchy under the names of its controllers, and often under each name of them.
std::optional<double> cgroup_quota(const std::string& membership, const std::string& mount) {
  std::optional<double> tightest;
  std::ifstream file(membership);
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers.empty()) {
      tightest = tighter(tightest, tightest_quota(mount, path));
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      tightest = tighter(tightest, tightest_quota(mount + "/" + controllers, path));
      tightest = tighter(tightest, tightest_quota(mount + "/cpu", path));
    }
  }
  return tightest;
}

}  // namespace deepgemm::cpu
