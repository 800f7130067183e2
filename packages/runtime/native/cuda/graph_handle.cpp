#include "graph_handle.h"

#include <algorithm>

namespace deepgemm::cuda {
namespace {

struct CapturedGraph {
  const Driver& driver;
  CUgraph graph;
  ~CapturedGraph() {
    if (graph != nullptr) driver.graph_destroy.attempt(graph);
  }
};

}  // namespace

std::shared_ptr<GraphHandle> GraphHandle::end_capture(StreamHandle& stream) {
  std::shared_ptr<GraphHandle> graph(new GraphHandle(stream.context()));
  const CapturedGraph captured{stream.driver(), stream.end_capture(graph->held_)};
  std::ranges::sort(graph->held_);
  const auto repeated = std::ranges::unique(graph->held_);
  graph->held_.erase(repeated.begin(), repeated.end());
  stream.driver().graph_instantiate(&graph->exec_, captured.graph, 0);
  return graph;
}

GraphHandle::~GraphHandle() {
  if (exec_ == nullptr) return;
  context()->try_enter();
  wait_for_users(0);
  context()->driver().graph_exec_destroy.attempt(exec_);
}

void GraphHandle::launch(const std::shared_ptr<StreamHandle>& stream) {
  for (const auto& resource : held_) resource->use(stream);
  use(stream);
  context()->driver().graph_launch(exec_, stream->get());
}

}  // namespace deepgemm::cuda
