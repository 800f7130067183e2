#pragma once

#include <string>
#include <vector>

namespace deepgemm {

// A shared library found at run time. It is never closed: drivers do not survive that.
class Library {
 public:
  // Whether it could be opened: `loaded()`, and if not, `reason()`.
  explicit Library(const std::string& path);

  bool loaded() const { return handle_ != nullptr; }
  const std::string& reason() const { return reason_; }

  // The symbol's address; nullptr, and noted as missing, when there is none.
  void* symbol(const char* name);
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  void* handle_;
  std::string reason_;
  std::vector<std::string> missing_;
};

}  // namespace deepgemm
