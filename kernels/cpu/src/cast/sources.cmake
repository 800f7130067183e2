# Casts and the functions around the grouped GEMMs. Included by kernels/cpu/CMakeLists.txt, which
# sets the flags of each instruction set.
target_sources(deepgemm_cpu PRIVATE
  src/cast/convert.cpp
  src/cast/dequantize.cpp
  src/cast/dispatch.cpp
  src/cast/kernels_baseline.cpp
  src/cast/quantize.cpp
  src/cast/transpose.cpp
  src/moe/combine.cpp
  src/moe/dispatch.cpp
  src/moe/kernels_baseline.cpp
  src/moe/permute_rows.cpp
  src/moe/plan_permutation.cpp
  src/moe/route.cpp
  src/moe/swiglu.cpp
)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  foreach(isa avx2 avx512)
    set(deepgemm_isa_sources src/cast/kernels_${isa}.cpp src/moe/kernels_${isa}.cpp)
    target_sources(deepgemm_cpu PRIVATE ${deepgemm_isa_sources})
    set_source_files_properties(${deepgemm_isa_sources}
      PROPERTIES COMPILE_OPTIONS "${deepgemm_${isa}_flags}")
  endforeach()
  target_sources(deepgemm_cpu PRIVATE src/cast/kernels_avx512_bf16.cpp)
  set_source_files_properties(src/cast/kernels_avx512_bf16.cpp
    PROPERTIES COMPILE_OPTIONS "${deepgemm_avx512_bf16_flags}")
endif()
