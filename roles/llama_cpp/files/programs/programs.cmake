# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Given to cmake as CMAKE_PROJECT_llama.cpp_INCLUDE: more programs in llama.cpp's own build, with its compiler and its
# flags. llama-system-info is linked with the very library that llama-bench is linked with, so that what it says of the
# library is true of llama-bench. Deferred, because neither library nor flags are there yet when project() includes this.
set(CLOUDBENCH_PROGRAMS "${CMAKE_CURRENT_LIST_DIR}")

function(cloudbench_programs)
  add_executable(llama-system-info "${CLOUDBENCH_PROGRAMS}/system_info.cpp")
  target_link_libraries(llama-system-info PRIVATE llama)

  add_executable(llama-roofline "${CLOUDBENCH_PROGRAMS}/roofline.cpp")
  # clang 14 takes a source for C++14 unless it is told.
  target_compile_features(llama-roofline PRIVATE cxx_std_17)
  # The kernels' own flags for this processor are set on ggml's target alone.
  if(GGML_NATIVE AND NOT MSVC)
    target_compile_options(llama-roofline PRIVATE -march=native)
  elseif(GGML_CPU_ARM_ARCH)
    target_compile_options(llama-roofline PRIVATE "-march=${GGML_CPU_ARM_ARCH}")
  endif()
  find_package(OpenMP COMPONENTS CXX)
  if(OpenMP_CXX_FOUND)
    target_link_libraries(llama-roofline PRIVATE OpenMP::OpenMP_CXX)
  endif()

  if(TARGET ggml-cpu AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(
      ggml-cpu PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include \"${CLOUDBENCH_PROGRAMS}/amx_tile_config.h\">")
  endif()
endfunction()

include("${CLOUDBENCH_PROGRAMS}/quick.cmake")

cmake_language(DEFER CALL cloudbench_programs)
cmake_language(DEFER CALL cloudbench_quick)
