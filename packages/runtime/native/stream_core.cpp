#include "stream_core.h"

#include <algorithm>
#include <utility>

#include "deepgemm/cpu/pool.hpp"

namespace deepgemm {

StreamCore::~StreamCore() { stop(); }

uint64_t StreamCore::enqueue(Job job) {
  std::lock_guard lock(mutex_);
  if (stopping_ || closing_) return submitted_;
  // First what may fail: a job in the queue has a ticket.
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  queue_.push_back(std::move(job));
  work_.notify_one();
  return ++submitted_;
}

// Only the JavaScript thread submits, so an idle stream stays idle until that thread goes on.
bool StreamCore::begin_inline() {
  std::lock_guard lock(mutex_);
  if (stopping_ || closing_ || submitted_ != completed()) return false;
  ++submitted_;
  return true;
}

uint64_t StreamCore::end_inline(std::optional<JobError> error) {
  std::unique_lock lock(mutex_);
  finish_job(lock, std::move(error));
  return submitted_;
}

uint64_t StreamCore::submitted() const {
  std::lock_guard lock(mutex_);
  return submitted_;
}

void StreamCore::wait(uint64_t ticket) {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return completed() >= ticket || stopping_; });
}

bool StreamCore::notify_when(uint64_t ticket, std::function<void()> notify) {
  std::lock_guard lock(mutex_);
  if (completed() >= ticket) return false;
  notifications_.push_back({ticket, std::move(notify)});
  return true;
}

std::optional<JobError> StreamCore::take_error(uint64_t ticket) {
  std::lock_guard lock(mutex_);
  if (failures_.empty() || failures_.front().ticket > ticket) return std::nullopt;
  std::optional<JobError> first = std::move(failures_.front().error);
  std::erase_if(failures_, [&](const Failure& failure) { return failure.ticket <= ticket; });
  return first;
}

void StreamCore::close() {
  std::lock_guard lock(mutex_);
  closing_ = true;
  work_.notify_one();
}

bool StreamCore::finished() const {
  std::lock_guard lock(mutex_);
  return exited_ || (closing_ && !thread_.joinable());
}

void StreamCore::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    notifications_.clear();
    work_.notify_one();
    done_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void StreamCore::run() {
  cpu::be_nicer(nicer_);
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stopping_ || closing_ || !queue_.empty(); });
    if (stopping_ || queue_.empty()) break;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    std::optional<JobError> error = run_job(job);
    job = nullptr;  // Lets go of the buffers before anyone hears that the job is done.
    lock.lock();
    finish_job(lock, std::move(error));
  }
  exited_ = true;
}

void StreamCore::finish_job(std::unique_lock<std::mutex>& lock, std::optional<JobError> error) {
  const uint64_t ticket = completed() + 1;
  completed_.store(ticket, std::memory_order_release);
  if (error) failures_.push_back({ticket, *std::move(error)});
  const auto due = std::partition(notifications_.begin(), notifications_.end(),
                                  [&](const Notification& n) { return n.ticket > ticket; });
  std::vector<Notification> fired(std::make_move_iterator(due),
                                  std::make_move_iterator(notifications_.end()));
  notifications_.erase(due, notifications_.end());
  done_.notify_all();
  if (fired.empty()) return;
  lock.unlock();
  for (Notification& n : fired) n.notify();
  lock.lock();
}

}  // namespace deepgemm
