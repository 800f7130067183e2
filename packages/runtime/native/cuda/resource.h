#pragma once

#include <memory>
#include <vector>

#include "../stream_core.h"
#include "stream_handle.h"

namespace deepgemm::cuda {

// Something that work on streams uses: memory, a module, a graph. It knows the streams with such
// work, so that it is released only after the last of it.
class Resource : public std::enable_shared_from_this<Resource> {
 public:
  explicit Resource(std::shared_ptr<Context> context) : context_(std::move(context)) {}
  virtual ~Resource() = default;
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  // To be called before work that uses this is enqueued on `stream`. Throws a Failure.
  void use(const std::shared_ptr<StreamHandle>& stream);

  // Marks the work so far of all streams that use this. Throws a Failure.
  std::vector<std::shared_ptr<EventHandle>> marks() const;

  const std::shared_ptr<Context>& context() const { return context_; }

 protected:
  virtual void before_first_use(StreamHandle&) {}

  // Whether letting go of this might have to wait for work.
  virtual bool release_waits() const { return !users_.empty(); }

  const std::vector<std::shared_ptr<StreamHandle>>& users() const { return users_; }

  // Blocks until all streams but the first `kept` have finished the work so far.
  void wait_for_users(size_t kept) const;

 private:
  friend void retire(StreamCore& janitor, std::shared_ptr<Resource> resource);

  std::shared_ptr<Context> context_;
  std::vector<std::shared_ptr<StreamHandle>> users_;
};

// Lets go of a resource once no stream uses it; the janitor's thread waits, the caller does not.
void retire(StreamCore& janitor, std::shared_ptr<Resource> resource);

}  // namespace deepgemm::cuda
