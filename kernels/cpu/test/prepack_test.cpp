#include "deepgemm/cpu/prepack.hpp"

#include <cstring>
#include <string>
#include <vector>

#include "check.hpp"
#include "reference.hpp"

namespace deepgemm::cpu::test {
namespace {

void panels_turn_back_into_rows() {
  Pool one(1), three(3);
  Random random(41);
  for (int i = 0; i < 200; ++i) {
    Pool& pool = random.chance(0.5) ? one : three;
    const Matrix matrix(random, random.between(0, 100), random.between(0, 300), 128, false);
    const Panels panels(matrix);
    std::vector<uint8_t> rows(static_cast<size_t>(matrix.rows * matrix.k), 0xee);
    unpack(pool, panels.values->data(), matrix.rows, matrix.k, rows.data(), matrix.k);
    for (int64_t r = 0; r < matrix.rows; ++r) {
      const uint8_t* row = matrix.values->data() + r * matrix.operand.row_stride;
      check(std::memcmp(rows.data() + r * matrix.k, row, static_cast<size_t>(matrix.k)) == 0,
            "row " + std::to_string(r) + " of " + std::to_string(matrix.rows) + "x" +
                std::to_string(matrix.k));
    }
  }
}

// Saved panels are read by other versions and machines.
void the_format_is_what_the_header_says() {
  Pool pool(1);
  constexpr int64_t kRows = 34, kK = 18;  // a second panel of two rows, 14 columns of padding
  std::vector<uint8_t> codes(kRows * kK), packed(static_cast<size_t>(prepacked_bytes(kRows, kK)));
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i * 37 + 1);
  prepack(pool, {codes.data(), kK, kRows, kK, packed.data()});
  check(packed.size() == 2 * 32 * 32, "two panels of 32 rows by 32 columns");
  for (int64_t panel = 0; panel < 2; ++panel) {
    for (int64_t k = 0; k < 32; ++k) {
      for (int64_t r = 0; r < 32; ++r) {
        const int64_t row = panel * 32 + r;
        const int64_t at =
            panel * 1024 + k / 4 * 128 + r / 4 * 16 + k % 4 / 2 * 8 + r % 4 * 2 + k % 2;
        const int expected = row < kRows && k < kK ? codes[static_cast<size_t>(row * kK + k)] : 0;
        check(packed[static_cast<size_t>(at)] == expected,
              "row " + std::to_string(row) + ", k " + std::to_string(k));
      }
    }
  }
}

const Case kCases[] = {
    {"prepacked panels turn back into the rows they came from", panels_turn_back_into_rows},
    {"the prepacked format is what the header says", the_format_is_what_the_header_says},
};

}  // namespace
}  // namespace deepgemm::cpu::test
