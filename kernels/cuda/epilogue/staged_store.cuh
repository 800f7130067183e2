// D through shared memory: into swizzled panels, bf16 by stmatrix, then the copy engine, which
// leaves out what lies outside D, and can add f32 to it. Each warp group stores its own rows, under
// the next tile's loads.
//
// A panel is kPanelColumns wide, as the tensor map's swizzle spans, and 64 rows high; the panels of
// a row block follow one another. Swapped, a panel is 64 columns of D (the left rows) by kRight
// rows of it (the right rows), and a row block has one.
#pragma once

#include "pipeline/main_loop.cuh"
#include "ptx/bulk_tensor.cuh"
#include "ptx/memory.cuh"
#include "ptx/stmatrix.cuh"
#include "tma/swizzle.cuh"

namespace deepgemm {

template <class Config>
class StagedStore {
  using T = Tile<Config>;
  static constexpr int kSpan = T::kPanelColumns * T::kElementBytes;
  static constexpr int kPanelRows = Config::kSwapped ? T::kRight : 64;
  static constexpr int kPanelBytes = kPanelRows * kSpan;
  static constexpr int kRowBlockBytes = 64 * T::kRight * T::kElementBytes;
  static constexpr int kPanels = kRowBlockBytes / kPanelBytes;
  static_assert(kPanelBytes % (8 * kSpan) == 0, "a panel has whole periods of the swizzle");

 public:
  DEEPGEMM_DEVICE StagedStore(const GemmArguments& arguments, SharedStorage<Config>& shared,
                              const MathThread& me)
      : arguments_(arguments),
        me_(me),
        out_(shared.out + me.group * T::kRowBlocks * kRowBlockBytes) {}

  DEEPGEMM_DEVICE void store(Corner corner, const Sums<Config>& sums) const {
    wait_read();  // the previous tile has left the panels
    me_.sync_group();
#pragma unroll
    for (int chunk = 0; chunk < T::kChunks; ++chunk) {
      const u32 base = ptx::shared_address(out_) + chunk / Config::kColumnSplits * kRowBlockBytes;
      const int first = chunk % Config::kColumnSplits * T::kChunkColumns;
      if constexpr (Config::kOut == Output::kF32) {
        stage_floats(base, first, sums[chunk]);
      } else {
        stage_bf16(base, first, sums[chunk]);
      }
    }
    ptx::fence_async_proxy();
    me_.sync_group();
    if (me_.warp == 0) send({ptx::uniform(corner.left), ptx::uniform(corner.right)});
  }

  // Before the block ends: the copy engine must have read its shared memory. What it writes is seen
  // by whoever waits for the kernel.
  DEEPGEMM_DEVICE void finish() const { wait_read(); }

 private:
  // By the lane that sent them: elect names the same one every time.
  DEEPGEMM_DEVICE void wait_read() const {
    if (me_.warp == 0 && ptx::elect()) ptx::bulk_wait_read();
  }

  DEEPGEMM_DEVICE void stage_floats(u32 base, int first,
                                    const float (&values)[T::kChunkRegisters]) const {
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

  DEEPGEMM_DEVICE void stage_bf16(u32 base, int first,
                                  const float (&values)[T::kChunkRegisters]) const {
#pragma unroll
    for (int r = 0; r < T::kChunkRegisters; r += 8) {
      const u32 a = ptx::pack_bf16(values[r], values[r + 1]);
      const u32 b = ptx::pack_bf16(values[r + 2], values[r + 3]);
      if (r + 4 < T::kChunkRegisters) {
        const u32 c = ptx::pack_bf16(values[r + 4], values[r + 5]);
        const u32 d = ptx::pack_bf16(values[r + 6], values[r + 7]);
        stage_16(base, first + r * 2, a, b, c, d);
      } else {
        // Only swapped tiles can end in 8 columns.
        ptx::store_matrix_x2_transposed(base + transposed_offset(first + r * 2), a, b);
      }
    }
  }

  // 16 columns of wgmma's D by the warp's 16 rows: tiles (rows 0-7, columns 0-7), (8-15, 0-7),
  // (0-7, 8-15), (8-15, 8-15).
  DEEPGEMM_DEVICE void stage_16(u32 base, int column, u32 a, u32 b, u32 c, u32 d) const {
    if constexpr (Config::kSwapped) {
      ptx::store_matrix_x4_transposed(base + transposed_offset(column), a, b, c, d);
    } else {
      const u32 row = me_.warp * 16 + me_.lane % 16;
      const u32 unit = static_cast<u32>(column) % T::kPanelColumns * 2 + me_.lane / 16 * 16;
      const u32 panel = static_cast<u32>(column) / T::kPanelColumns;
      ptx::store_matrix_x4(base + panel * kPanelBytes + swizzled<kSpan>(row * kSpan + unit), a, b,
                           c, d);
    }
  }

  // Lane 8 i + r: D row `column` + r of tile i, where tiles 1 and 3 are 8 left rows further.
  DEEPGEMM_DEVICE u32 transposed_offset(int column) const {
    const u32 row = column + me_.lane % 8 + me_.lane / 16 * 8;
    const u32 unit = me_.warp * 32 + me_.lane / 8 % 2 * 16;
    return swizzled<128>(row * 128 + unit);
  }

  // By the first warp of the group.
  DEEPGEMM_DEVICE void send(Corner corner) const {
    if (!ptx::elect()) return;
    const u32 left = corner.left + me_.group * T::kGroupRows;
#pragma unroll
    for (int block = 0; block < T::kRowBlocks; ++block) {
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel) {
        const u8* from = out_ + block * kRowBlockBytes + panel * kPanelBytes;
        const u32 row = left + block * 64;
        const u32 column = corner.right + panel * T::kPanelColumns;
        if constexpr (Config::kSwapped) {
          ptx::tensor_store(&arguments_.out, from, row, corner.right);
        } else if constexpr (Config::kAccumulate) {
          ptx::tensor_add(&arguments_.out, from, column, row);
        } else {
          ptx::tensor_store(&arguments_.out, from, column, row);
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
