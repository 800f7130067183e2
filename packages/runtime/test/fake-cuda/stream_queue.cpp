#include "stream_queue.h"

#include <thread>

namespace fake {

void StreamQueue::push(Job job, bool always) {
  std::lock_guard lock(mutex_);
  if (capturing_) {
    if (capture_ != nullptr) capture_->push_back(std::move(job));
    return;
  }
  queue_.push_back({std::move(job), always});
  if (!started_) std::thread([self = shared_from_this()] { self->run(); }).detach();
  started_ = true;
  changed_.notify_all();
}

bool StreamQueue::capturing() {
  std::lock_guard lock(mutex_);
  return capturing_;
}

void StreamQueue::begin_capture() {
  std::lock_guard lock(mutex_);
  capturing_ = true;
  capture_ = std::make_unique<std::vector<Job>>();
}

std::unique_ptr<std::vector<Job>> StreamQueue::end_capture() {
  std::lock_guard lock(mutex_);
  capturing_ = false;
  return std::move(capture_);
}

bool StreamQueue::spoils_capture() {
  std::lock_guard lock(mutex_);
  if (capturing_) capture_ = nullptr;
  return capturing_;
}

bool StreamQueue::idle() {
  std::lock_guard lock(mutex_);
  return queue_.empty() && !busy_;
}

void StreamQueue::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty() && !busy_; });
}

void StreamQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void StreamQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    int delay = 0;
    CUresult lost = 0;
    {
      std::lock_guard guard(world().mutex);
      delay = world().work_delay_ms;
      lost = world().lost;
    }
    if (delay > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay));
    if (lost == 0 || entry.always) entry.job();
    entry.job = nullptr;
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace fake
