// Streams, events and graphs.

#include "stream_queue.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace fake;

namespace {

StreamBox* box(CUstream stream) { return reinterpret_cast<StreamBox*>(stream); }
EventBox* box(CUevent event) { return reinterpret_cast<EventBox*>(event); }
GraphBox* box(CUgraph graph) { return reinterpret_cast<GraphBox*>(graph); }
GraphBox* box(CUgraphExec exec) { return reinterpret_cast<GraphBox*>(exec); }

bool reached(const Event& event, uint64_t recording) { return event.reached >= recording; }

}  // namespace

EXPORT CUresult cuStreamCreate(CUstream* stream, unsigned) {
  if (CUresult status = begin("cuStreamCreate")) return status;
  *stream = reinterpret_cast<CUstream>(new StreamBox());
  count_live("stream", 1);
  return 0;
}

EXPORT CUresult cuStreamDestroy_v2(CUstream stream) {
  box(stream)->queue->close();
  delete box(stream);
  count_live("stream", -1);
  return release("cuStreamDestroy_v2");
}

EXPORT CUresult cuStreamQuery(CUstream stream) {
  if (CUresult status = begin("cuStreamQuery")) return status;
  return queue_of(stream).idle() ? 0 : 600;
}

EXPORT CUresult cuStreamSynchronize(CUstream stream) {
  if (CUresult status = begin("cuStreamSynchronize")) return status;
  if (queue_of(stream).spoils_capture()) return kCaptureUnsupported;
  queue_of(stream).drain();
  std::lock_guard lock(world().mutex);
  return world().lost;
}

EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent handle, unsigned) {
  if (CUresult status = begin("cuStreamWaitEvent")) return status;
  // A capture may not depend on work outside of it.
  if (queue_of(stream).capturing()) return 905;
  const auto event = box(handle)->event;
  std::lock_guard lock(world().mutex);
  queue_of(stream).push([event, recording = event->recorded] {
    std::unique_lock guard(world().mutex);
    world().changed.wait(guard, [&] { return reached(*event, recording); });
  });
  return 0;
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int) {
  if (CUresult status = begin("cuStreamBeginCapture_v2")) return status;
  queue_of(stream).begin_capture();
  return 0;
}

EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  const CUresult status = begin("cuStreamEndCapture");
  auto jobs = queue_of(stream).end_capture();
  if (status != 0 || jobs == nullptr) {
    *graph = nullptr;
    return status != 0 ? status : kInvalidValue;
  }
  *graph = reinterpret_cast<CUgraph>(new GraphBox{std::move(*jobs)});
  count_live("graph", 1);
  return 0;
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long) {
  if (CUresult status = begin("cuGraphInstantiateWithFlags")) return status;
  *exec = reinterpret_cast<CUgraphExec>(new GraphBox(*box(graph)));
  count_live("exec", 1);
  return 0;
}

EXPORT CUresult cuGraphDestroy(CUgraph graph) {
  delete box(graph);
  count_live("graph", -1);
  return release("cuGraphDestroy");
}

EXPORT CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  if (CUresult status = begin("cuGraphLaunch")) return status;
  for (const Job& job : box(exec)->jobs) queue_of(stream).push(job);
  return 0;
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec) {
  delete box(exec);
  count_live("exec", -1);
  return release("cuGraphExecDestroy");
}

EXPORT CUresult cuEventCreate(CUevent* event, unsigned) {
  if (CUresult status = begin("cuEventCreate")) return status;
  *event = reinterpret_cast<CUevent>(new EventBox());
  count_live("event", 1);
  return 0;
}

EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  delete box(event);
  count_live("event", -1);
  return release("cuEventDestroy_v2");
}

EXPORT CUresult cuEventRecord(CUevent handle, CUstream stream) {
  if (CUresult status = begin("cuEventRecord")) return status;
  const auto event = box(handle)->event;
  std::lock_guard lock(world().mutex);
  const uint64_t recording = ++event->recorded;
  queue_of(stream).push(
      [event, recording] {
        std::lock_guard guard(world().mutex);
        event->reached = recording;
        event->time = std::chrono::steady_clock::now();
        world().changed.notify_all();
      },
      true);
  return 0;
}

EXPORT CUresult cuEventQuery(CUevent event) {
  if (CUresult status = begin("cuEventQuery")) return status;
  std::lock_guard lock(world().mutex);
  const Event& it = *box(event)->event;
  return reached(it, it.recorded) ? world().lost : 600;
}

EXPORT CUresult cuEventSynchronize(CUevent handle) {
  if (CUresult status = begin("cuEventSynchronize")) return status;
  const auto event = box(handle)->event;
  std::unique_lock lock(world().mutex);
  world().changed.wait(lock, [&] { return reached(*event, event->recorded); });
  return world().lost;
}

EXPORT CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  if (CUresult status = begin("cuEventElapsedTime")) return status;
  std::lock_guard lock(world().mutex);
  const Event& from = *box(start)->event;
  const Event& to = *box(end)->event;
  if (!reached(from, from.recorded) || !reached(to, to.recorded)) return 600;
  *milliseconds = std::chrono::duration<float, std::milli>(to.time - from.time).count();
  return 0;
}
