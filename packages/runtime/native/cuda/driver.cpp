#include "driver.h"

#include <map>
#include <mutex>

namespace deepgemm::cuda {

const Driver& Driver::at(const std::string& path) {
  static std::mutex mutex;
  // Never destroyed: threads and finalizers may call the driver while the process exits.
  static auto* drivers = new std::map<std::string, std::unique_ptr<Driver>>();
  std::lock_guard lock(mutex);
  std::unique_ptr<Driver>& driver = (*drivers)[path];
  // A library that was not there may have been installed since.
  if (!driver || !driver->library.loaded()) driver = std::make_unique<Driver>(path);
  return *driver;
}

}  // namespace deepgemm::cuda
