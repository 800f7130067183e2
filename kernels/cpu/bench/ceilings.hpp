// What the machine could do at most, measured: the roofline that GEMM figures are held against.
#pragma once

#include <cstdint>
#include <span>

#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu::bench {

// Of the wall, or of the processor time of the calling thread.
double seconds_now(bool cpu_time = false);

// Bytes per second of reading `bytes` once with all threads of the pool.
double read_bandwidth(Pool& pool, std::span<const uint8_t> bytes, bool cpu_time = false);

// Floating-point operations per second of the multiply-add that `isa`'s kernels use, on all
// threads of the pool; 0 where no such loop is written.
double peak_flops(Pool& pool, Isa isa, bool cpu_time = false);

}  // namespace deepgemm::cpu::bench
