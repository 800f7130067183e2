#pragma once

#include "resource.h"

namespace deepgemm::cuda {

// Captured work that can be launched again and again. Holds what the work uses.
class GraphHandle : public Resource {
 public:
  // Ends the capture of `stream`, whatever comes of it. Throws a Failure.
  static std::shared_ptr<GraphHandle> end_capture(StreamHandle& stream);
  ~GraphHandle() override;

  // Throws a Failure.
  void launch(const std::shared_ptr<StreamHandle>& stream);

 private:
  using Resource::Resource;
  // What the graph holds may have work of other streams.
  bool release_waits() const override { return true; }

  CUgraphExec exec_ = nullptr;
  StreamHandle::Held held_;
};

}  // namespace deepgemm::cuda
