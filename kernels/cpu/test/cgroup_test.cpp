#include "pool/cgroup.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "check.hpp"

namespace deepgemm::cpu::test {
namespace {

// A folder that looks like the system's, until the end of the test.
class Groups {
 public:
  Groups() {
    std::string name = (std::filesystem::temp_directory_path() / "deepgemm-XXXXXX").string();
    check(mkdtemp(name.data()) != nullptr, "a temporary folder");
    folder_ = name;
  }
  ~Groups() { std::filesystem::remove_all(folder_); }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  void write(const std::string& path, const std::string& text) const {
    const auto file = folder_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  double quota(const std::string& membership) const {
    write("membership", membership);
    return cgroup_quota((folder_ / "membership").string(), folder_.string()).value_or(-1);
  }

 private:
  std::filesystem::path folder_;
};

void version_2_grants_the_tightest_of_its_levels() {
  const Groups groups;
  groups.write("cpu.max", "max 100000\n");
  groups.write("a/cpu.max", "150000 100000\n");
  groups.write("a/b/cpu.max", "400000 100000\n");
  groups.write("c/cpu.max", "max 100000\n");
  check(groups.quota("0::/a/b\n") == 1.5, "a parent's limit binds");
  check(groups.quota("0::/a\n") == 1.5, "a group's own limit");
  check(groups.quota("0::/c\n") == -1, "max is no limit");
  check(groups.quota("0::/\n") == -1, "the root has none");
}

void version_1_has_a_quota_and_a_period() {
  const Groups groups;
  groups.write("cpu/box/cpu.cfs_quota_us", "50000\n");
  groups.write("cpu/box/cpu.cfs_period_us", "100000\n");
  groups.write("cpu/free/cpu.cfs_quota_us", "-1\n");
  groups.write("cpu/free/cpu.cfs_period_us", "100000\n");
  check(groups.quota("4:memory:/box\n1:cpu:/box\n0::/\n") == 0.5, "half a processor");
  check(groups.quota("1:cpu,cpuacct:/box\n") == 0.5, "a hierarchy of several controllers");
  check(groups.quota("1:cpu:/free\n") == -1, "-1 is no limit");
  check(groups.quota("4:memory:/box\n2:cpuset:/box\n") == -1, "other controllers say nothing");
}

// A container sees its own group as the root of the mount, under a path that does not exist there.
void a_container_finds_its_limit_at_the_root() {
  const Groups groups;
  groups.write("cpu.max", "200000 100000\n");
  check(groups.quota("0::/docker/0123456789ab\n") == 2, "two processors");
}

void what_cannot_be_read_is_no_limit() {
  const Groups groups;
  groups.write("odd/cpu.max", "plenty 100000\n");
  groups.write("zero/cpu.max", "100000 0\n");
  check(groups.quota("0::/odd\n") == -1, "no number");
  check(groups.quota("0::/zero\n") == -1, "no period");
  check(groups.quota("nonsense\n\n:\n") == -1, "no groups");
  check(!cgroup_quota("/nowhere/cgroup", "/nowhere"), "no file");
}

const Case kCases[] = {
    {"version 2 of cgroups grants the tightest of its levels",
     version_2_grants_the_tightest_of_its_levels},
    {"version 1 of cgroups has a quota and a period", version_1_has_a_quota_and_a_period},
    {"a container finds its cgroup's limit at the root", a_container_finds_its_limit_at_the_root},
    {"a cgroup that cannot be read is no limit", what_cannot_be_read_is_no_limit},
};

}  // namespace
}  // namespace deepgemm::cpu::test
