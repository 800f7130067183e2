// What the native side is given that TypeScript cannot check: the bytes of tensors, group data that
// lives on the device, and the order in which streams are used. Shapes are legal, contents are any.

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deepgemm::fuzz;
  using Target = void (*)(Input&);
  static constexpr Target kTargets[] = {fuzz_grouped, fuzz_k_grouped, fuzz_permutation, fuzz_route,
                                        fuzz_swiglu,  fuzz_casts,     fuzz_stream};
  if (size == 0) return -1;
  Input input(data + 1, size - 1);
  kTargets[data[0] % std::size(kTargets)](input);
  return 0;
}
