// GCC's shuffle of vectors, which the portable kernels use and clang lacks: lane by lane.
#pragma once

template <class Vector, class Mask>
inline Vector __builtin_shuffle(Vector a, Vector b, Mask mask) {
  constexpr int kLanes = sizeof(Vector) / sizeof(a[0]);
  Vector result = a;
  for (int i = 0; i < kLanes; i++) {
    const auto from = static_cast<unsigned>(mask[i]) % (2 * kLanes);
    result[i] = from < kLanes ? a[from] : b[from - kLanes];
  }
  return result;
}

template <class Vector, class Mask>
inline Vector __builtin_shuffle(Vector a, Mask mask) {
  return __builtin_shuffle(a, a, mask);
}
