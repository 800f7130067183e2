// f32 D through shared memory, in panels of 64 rows and one swizzle span of columns: the copy
// engine stores them, or adds them to D, under the next tile's loads. Each warp group stores its
// own rows.
#pragma once

#include "pipeline/main_loop.cuh"
#include "ptx/bulk_tensor.cuh"
#include "ptx/memory.cuh"
#include "tma/swizzle.cuh"

namespace deepgemm {

template <class Config>
class FloatStore {
  using T = Tile<Config>;
  static constexpr int kSpan = T::kPanelColumns * 4;  // bytes
  static constexpr int kPanelBytes = 64 * kSpan;
  static constexpr int kRowBlockBytes = 64 * T::kRight * 4;
  static constexpr int kPanels = kRowBlockBytes / kPanelBytes;

 public:
  DEEPGEMM_DEVICE FloatStore(const GemmArguments& arguments, SharedStorage<Config>& shared,
                             const MathThread& me)
      : arguments_(arguments),
        me_(me),
        out_(shared.out + me.group * T::kRowBlocks * kRowBlockBytes) {}

  DEEPGEMM_DEVICE void store(Corner corner, const Sums<Config>& sums) const {
    if (me_.thread == 0) ptx::bulk_wait_read();  // the previous tile has left the panels
    me_.sync_group();
#pragma unroll
    for (int chunk = 0; chunk < T::kChunks; ++chunk) stage_chunk(chunk, sums[chunk]);
    ptx::fence_async_proxy();
    me_.sync_group();
    if (me_.thread == 0) send(corner);
  }

  // Before the block ends: the copy engine must have read its shared memory.
  DEEPGEMM_DEVICE void finish() const {
    if (me_.thread == 0) ptx::bulk_wait_read();
  }

 private:
  DEEPGEMM_DEVICE void stage_chunk(int chunk, const float (&values)[T::kChunkRegisters]) const {
    const u32 base = ptx::shared_address(out_) + chunk / Config::kColumnSplits * kRowBlockBytes;
    const int first = chunk % Config::kColumnSplits * T::kChunkColumns;
#pragma unroll
    for (int r = 0; r < T::kChunkRegisters; r += 2) {
      const int column = first + r / 4 * 8;
      const u32 row = me_.first_row() + r % 4 * 4;
      const u32 unit = column % T::kPanelColumns * 4 + me_.first_column() * 4;
      ptx::store_shared_pair(
          base + column / T::kPanelColumns * kPanelBytes + swizzled<kSpan>(row * kSpan + unit),
          values[r], values[r + 1]);
    }
  }

  DEEPGEMM_DEVICE void send(Corner corner) const {
    const u32 left = corner.left + me_.group * T::kGroupRows;
#pragma unroll
    for (int block = 0; block < T::kRowBlocks; ++block) {
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel) {
        const u8* from = out_ + block * kRowBlockBytes + panel * kPanelBytes;
        const u32 column = corner.right + panel * T::kPanelColumns;
        if constexpr (Config::kAccumulate) {
          ptx::tensor_add(&arguments_.out, from, column, left + block * 64);
        } else {
          ptx::tensor_store(&arguments_.out, from, column, left + block * 64);
        }
      }
    }
    ptx::bulk_commit();
  }

  const GemmArguments& arguments_;
  const MathThread& me_;
  u8* out_;
};

}  // namespace deepgemm
