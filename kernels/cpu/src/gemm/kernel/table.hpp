// The kernels of one instruction set, gathered for dispatch.
#pragma once

#include "gemm/kernel/multiply.hpp"
#include "gemm/kernel/multiply_rows.hpp"
#include "gemm/kernel/pack.hpp"
#include "gemm/kernel/store.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks, int kRows = Hooks::kRows>
constexpr void fill_by_rows(KernelTable& table) {
  table.multiply[kRows] = &Multiply<Hooks>::template tile<kRows>;
  table.multiply_rows[kRows] = MultiplyRows<Hooks>::template without_packing<kRows>();
  table.multiply_rows_and_pack[kRows] = &MultiplyRows<Hooks>::template many<kRows, true>;
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
  return table;
}

}  // namespace
}  // namespace deepgemm::cpu
