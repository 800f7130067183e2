// What the machine could do at most, measured: the roofline that GEMM figures are held against.
#pragma once

#include <cstdint>
#include <span>

#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu::bench {

double seconds_now();

// Bytes per second of reading `bytes` once with all threads of the pool.
double read_bandwidth(Pool& pool, std::span<const uint8_t> bytes);

// Floating-point operations per second of the multiply-add that `isa`'s kernels use, on all
// threads of the pool; 0 where no such loop is written.
double peak_flops(Pool& pool, Isa isa);

}  // namespace deepgemm::cpu::bench
