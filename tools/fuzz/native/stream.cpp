// Streams used in any order: every job runs once and in order unless its stream was stopped, and a
// failure is told to the first who asks for it.

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>

#include "fuzz.hpp"
#include "stream_core.h"

namespace deepgemm::fuzz {
namespace {

// A stream and what it must have done.
struct Model {
  std::unique_ptr<StreamCore> core = std::make_unique<StreamCore>();
  // Shared with jobs, which may outlive a stream that is closed.
  std::shared_ptr<std::atomic<uint64_t>> ran = std::make_shared<std::atomic<uint64_t>>(0);
  std::deque<uint64_t> failures;
  uint64_t submitted = 0;
  bool closed = false;
};

void submit(Model& model, bool fails, bool small) {
  const uint64_t ticket = model.submitted + 1;
  auto job = [ran = model.ran, ticket, fails]() -> std::optional<JobError> {
    require(ran->fetch_add(1) + 1 == ticket, "a job ran out of order");
    if (fails) return JobError{"ERR_GROUP", std::to_string(ticket), "", ""};
    return std::nullopt;
  };
  // A job that the caller runs itself, where the stream lets it; else one in the queue.
  if (small && model.core->begin_inline()) {
    model.core->end_inline(StreamCore::run_job(job));
  } else {
    model.core->enqueue(std::move(job));
  }
  if (model.closed) return;
  model.submitted = ticket;
  if (fails) model.failures.push_back(ticket);
  require(model.core->submitted() == ticket, "a job has no ticket");
}

void wait_and_ask(Model& model, uint64_t ticket) {
  model.core->wait(ticket);
  require(model.ran->load() >= ticket, "a wait ended early");
  const std::optional<JobError> error = model.core->take_error(ticket);
  const bool expected = !model.failures.empty() && model.failures.front() <= ticket;
  require(error.has_value() == expected, "a failure was lost or made up");
  if (error) require(error->subject == std::to_string(model.failures.front()), "another failure");
  while (!model.failures.empty() && model.failures.front() <= ticket) model.failures.pop_front();
}

void notify(Model& model, uint64_t ticket) {
  // Fires only once the work is done; a stopped stream may drop it.
  auto ran = model.ran;
  const bool later = model.core->notify_when(
      ticket, [ran, ticket] { require(ran->load() >= ticket, "a notification came early"); });
  if (!later) require(model.core->completed() >= ticket, "a notification was refused");
}

// The second stream's next job waits for the first one's work.
void wait_for(Model& waiting, Model& other) {
  if (&waiting == &other || waiting.closed) return;
  const uint64_t ticket = other.submitted, own = ++waiting.submitted;
  waiting.core->enqueue([core = other.core.get(), ran = waiting.ran, theirs = other.ran, ticket,
                         own]() -> std::optional<JobError> {
    core->wait(ticket);
    require(theirs->load() >= ticket, "a stream did not wait for another");
    require(ran->fetch_add(1) + 1 == own, "a job ran out of order");
    return std::nullopt;
  });
}

}  // namespace

void fuzz_stream(Input& input) {
  Model models[2];
  for (int step = 0; step < 40 && input.remaining_bytes() > 0; step++) {
    Model& model = models[input.ConsumeBool()];
    const uint64_t ticket = input.ConsumeIntegralInRange<uint64_t>(0, model.submitted);
    switch (input.ConsumeIntegralInRange(0, 6)) {
      case 0:
        submit(model, false, false);
        break;
      case 1:
        submit(model, true, false);
        break;
      case 2:
        submit(model, input.ConsumeBool(), true);
        break;
      case 3:
        wait_and_ask(model, ticket);
        break;
      case 4:
        notify(model, ticket);
        break;
      case 5:
        wait_for(models[1], models[0]);
        break;  // Never in a circle, as tickets guarantee.
      case 6:
        model.closed = true;
        model.core->close();
        break;
    }
  }
  for (Model& model : models) wait_and_ask(model, model.submitted);
}

}  // namespace deepgemm::fuzz
