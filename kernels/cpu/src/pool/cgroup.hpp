// What the system's control groups grant this process.
#pragma once

#include <optional>
#include <string>

namespace deepgemm::cpu {

// Processors' worth of time, the tightest limit of any group that the process is in; empty when
// there is none. `membership` is a file such as /proc/self/cgroup, `mount` the folder of the
// groups.
std::optional<double> cgroup_quota(const std::string& membership, const std::string& mount);

}  // namespace deepgemm::cpu
