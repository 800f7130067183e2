#include "resource.h"

#include <algorithm>

namespace deepgemm::cuda {

void Resource::use(const std::shared_ptr<StreamHandle>& stream) {
  if (stream->capturing()) {
    stream->hold(shared_from_this());
    return;
  }
  if (std::ranges::find(users_, stream) != users_.end()) return;
  before_first_use(*stream);
  // Weights that live for months see many short-lived streams.
  std::erase_if(users_, [](const auto& user) { return user->finished(); });
  users_.push_back(stream);
}

std::vector<std::shared_ptr<EventHandle>> Resource::marks() const {
  std::vector<std::shared_ptr<EventHandle>> marks;
  for (const auto& stream : users_) marks.push_back(stream->mark());
  return marks;
}

void Resource::wait_for_users(size_t kept) const {
  for (size_t i = kept; i < users_.size(); i++) users_[i]->wait();
}

// The list is copied: a graph may hold the resource too and launch it on further streams.
void retire(StreamCore& janitor, std::shared_ptr<Resource> resource) {
  if (!resource || !resource->release_waits()) return;
  janitor.enqueue([resource, users = resource->users_]() {
    resource->context_->try_enter();
    for (const auto& user : users) user->wait();
    return std::optional<JobError>();
  });
}

}  // namespace deepgemm::cuda
