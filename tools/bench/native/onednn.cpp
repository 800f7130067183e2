// oneDNN's bf16 product of a model's linear layer, D [M, N] = A [M, K] times B [N, K] transposed,
// with f32 accumulation. Threads are OMP_NUM_THREADS. Lines on stdin:
//
//   version                                       2.6.3 as 20603
//   prepare <slot> <m> <n> <k> <packed> <copies>  packed 0: B row-major [N, K], as checkpoints have
//                                                 it; 1: in the layout that oneDNN prefers
//   run <slot>                                    seconds of one product; its copy of B is the next
//   error <slot>                                  1 - 2 sum(xy) / sum(x^2 + y^2) against float64
//                                                 of elements all over the product
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
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

double value(const memory& from, int64_t at) {
  const uint16_t bits = static_cast<const uint16_t*>(from.get_data_handle())[at];
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

// Up to 16 positions of so many, the first and the last included.
std::vector<int64_t> sampled(int64_t count) {
  const int64_t taken = std::min<int64_t>(16, count);
  std::vector<int64_t> positions{0};
  for (int64_t i = 1; i < taken; ++i) positions.push_back(i * (count - 1) / (taken - 1));
  return positions;
}

class Product {
 public:
  Product(const dnnl::engine& engine, std::istream& in)
      : m(bounded(in, 1, 1 << 20)), n(bounded(in, 1, 1 << 20)), k(bounded(in, 1, 1 << 20)) {
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
    source_ = allocate(plain, engine);
    fill_random(source_);
    dnnl::stream stream(engine);
    for (int64_t copy = 0; copy < copies; ++copy) {
      b_.push_back(allocate(description.weights_desc(), engine));
      dnnl::reorder(source_, b_.back()).execute(stream, source_, b_.back());
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

  double error() const {
    double products = 0, squares = 0;
    for (const int64_t i : sampled(m)) {
      for (const int64_t j : sampled(n)) {
        double want = 0;
        for (int64_t at = 0; at < k; ++at)
          want += value(a_, i * k + at) * value(source_, j * k + at);
        const double got = value(d_, i * n + j);
        products += want * got;
        squares += want * want + got * got;
      }
    }
    return std::abs(1 - 2 * products / squares);
  }

 private:
  memory allocate(const memory::desc& description, const dnnl::engine& engine) {
    bytes_.emplace_back(description.get_size());
    return memory(description, engine, bytes_.back().data());
  }

  const int64_t m, n, k;
  dnnl::matmul primitive_;
  std::vector<deepgemm::bench::Bytes> bytes_;
  memory a_, d_, source_;
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
    if ((command != "run" && command != "error") || found == slots.end()) {
      throw std::invalid_argument("unknown command " + command + ", or nothing prepared");
    }
    return command == "run" ? found->second.run(stream) : found->second.error();
  });
}
