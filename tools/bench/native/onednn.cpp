// oneDNN's bf16 product of a model's linear layer, D [M, N] = A [M, K] times B [N, K] transposed,
// with f32 accumulation. Threads are OMP_NUM_THREADS. Lines on stdin:
//
//   version                                       2.6.3 as 20603
//   prepare <slot> <m> <n> <k> <packed> <copies>  packed 0: B row-major [N, K], as checkpoints have
//                                                 it; 1: in the layout that oneDNN prefers
//   run <slot>                                    seconds of one product; its copy of B is the next
#include <chrono>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <stdexcept>
#include <vector>

#include "bytes.hpp"
#include "protocol.hpp"

namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

int64_t bounded(std::istream& in, int64_t least, int64_t most) {
  int64_t value = 0;
  if (in >> value && value >= least && value <= most) return value;
  throw std::invalid_argument("a number must be " + std::to_string(least) + " to " +
                              std::to_string(most));
}

void fill_random(const memory& target) {
  std::minstd_rand random(1);
  auto* values = static_cast<uint16_t*>(target.get_data_handle());
  const size_t count = target.get_desc().get_size() / sizeof(uint16_t);
  // bf16 of either sign between 2^-7 and 2: no denormals.
  for (size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<uint32_t>(random());
    values[i] = static_cast<uint16_t>((bits & 0x8000u) | (0x3c00u + (bits >> 8) % 0x400u));
  }
}

class Product {
 public:
  Product(const dnnl::engine& engine, std::istream& in) {
    const int64_t m = bounded(in, 1, 1 << 20), n = bounded(in, 1, 1 << 20);
    const int64_t k = bounded(in, 1, 1 << 20);
    const bool packed = bounded(in, 0, 1) == 1;
    const int64_t copies = bounded(in, 1, 1024);
    const memory::desc a({m, k}, Type::bf16, Tag::ab);
    const memory::desc plain({k, n}, Type::bf16, Tag::ba);
    const memory::desc b = packed ? memory::desc({k, n}, Type::bf16, Tag::any) : plain;
    const memory::desc d({m, n}, Type::bf16, Tag::ab);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, d), engine);
    primitive_ = dnnl::matmul(description);
    a_ = allocate(a, engine);
    d_ = allocate(d, engine);
    fill_random(a_);
    memory source(plain, engine);
    fill_random(source);
    dnnl::stream stream(engine);
    for (int64_t copy = 0; copy < copies; ++copy) {
      b_.push_back(allocate(description.weights_desc(), engine));
      dnnl::reorder(source, b_.back()).execute(stream, source, b_.back());
    }
    stream.wait();
  }

  double run(dnnl::stream& stream) {
    const memory& b = b_[next_++ % b_.size()];
    const auto start = std::chrono::steady_clock::now();
    primitive_.execute(stream, {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, d_}});
    stream.wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  memory allocate(const memory::desc& description, const dnnl::engine& engine) {
    bytes_.emplace_back(description.get_size());
    return memory(description, engine, bytes_.back().data());
  }

  dnnl::matmul primitive_;
  std::vector<deepgemm::bench::Bytes> bytes_;
  memory a_, d_;
  std::vector<memory> b_;
  size_t next_ = 0;
};

}  // namespace

int main() {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::map<int64_t, Product> slots;
  return deepgemm::bench::serve([&](const std::string& command, std::istream& in) -> double {
    if (command == "version") {
      const dnnl_version_t* version = dnnl_version();
      return version->major * 10000 + version->minor * 100 + version->patch;
    }
    const int64_t slot = bounded(in, 0, 15);
    if (command == "prepare") {
      slots.erase(slot);
      slots.emplace(slot, Product(engine, in));
      return 0;
    }
    const auto found = slots.find(slot);
    if (command != "run" || found == slots.end()) {
      throw std::invalid_argument("unknown command " + command + ", or nothing prepared");
    }
    return found->second.run(stream);
  });
}
