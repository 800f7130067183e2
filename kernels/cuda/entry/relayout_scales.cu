// Copies a group of grids of scales into another orientation or format.
#include "ptx/control.cuh"
#include "quantize/scale_copy.cuh"

extern "C" __global__ void __launch_bounds__(256)
    relayout_scales(const __grid_constant__ deepgemm::ScaleCopy copy) {
  deepgemm::ptx::allow_next_kernel();
  deepgemm::ptx::wait_for_previous_kernel();
  deepgemm::copy_scales(copy, blockIdx.x);
}
