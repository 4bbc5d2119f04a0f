# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ik_llama.cpp's own build runs common/cmake/build-info-gen-cpp.cmake in the root of its tree before it compiles
# common/build-info.cpp, and its sdist lacks that script: this one stands in its place. The number and the commit are not
# asked of git, which would name whatever repository the tree happens to lie in; the record of the build has the source.
set(BUILD_NUMBER 0)
set(BUILD_COMMIT "unknown")
execute_process(
  COMMAND "${CMAKE_C_COMPILER}" --version
  OUTPUT_VARIABLE BUILD_COMPILER
  OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX REPLACE "[\r\n].*" "" BUILD_COMPILER "${BUILD_COMPILER}")
execute_process(
  COMMAND "${CMAKE_C_COMPILER}" -dumpmachine
  OUTPUT_VARIABLE BUILD_TARGET
  OUTPUT_STRIP_TRAILING_WHITESPACE)
configure_file(common/build-info.cpp.in common/build-info.cpp @ONLY)
