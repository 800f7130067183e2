// The kernels of one instruction set, gathered for dispatch.
#pragma once

#include "gemm/kernel/multiply.hpp"
#include "gemm/kernel/multiply_codes.hpp"
#include "gemm/kernel/pack.hpp"
#include "gemm/kernel/store.hpp"
#include "gemm/kernel/stream.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks, class Source, int kRows>
constexpr void fill_codes(CodesKernels& kernels) {
  using Kernels = MultiplyCodes<Hooks, Source>;
  kernels.multiply[kRows] = Kernels::template without_packing<kRows>();
  kernels.multiply_and_pack[kRows] = &Kernels::template many<kRows, true>;
}

template <class Hooks, int kRows = kMaxStreamRows>
constexpr void fill_stream(StreamKernels& kernels) {
  kernels.multiply[kRows] = &Stream<Hooks>::template multiply<kRows>;
  if constexpr (kRows > 1) fill_stream<Hooks, kRows - 1>(kernels);
}

template <class Hooks, int kRows = Hooks::kRows>
constexpr void fill_by_rows(KernelTable& table) {
  table.multiply[kRows] = &Multiply<Hooks>::template tile<kRows>;
  fill_codes<Hooks, RowsSource<Hooks>, kRows>(table.of_rows);
  fill_codes<Hooks, PanelSource<Hooks>, kRows>(table.of_panels);
  if constexpr (kRows > 1) fill_by_rows<Hooks, kRows - 1>(table);
}

template <class Hooks>
constexpr KernelTable make_table() {
  KernelTable table{};
  table.tile_rows = Hooks::kRows;
  table.panel_cols = Vectors<Hooks>::kCols;
  table.a_pair_bytes = sizeof(typename Hooks::Pair);
  table.pack_tile = &Pack<Hooks>::tile;
  table.store = &Store<Hooks>::tile;
  fill_by_rows<Hooks>(table);
  table.stream.pack = &Stream<Hooks>::pack;
  fill_stream<Hooks>(table.stream);
  return table;
}

}  // namespace
}  // namespace deepgemm::cpu
