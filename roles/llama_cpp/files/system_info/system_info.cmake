# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Given to cmake as CMAKE_PROJECT_llama.cpp_INCLUDE: one more program in llama.cpp's own build, linked with the
# very library that llama-bench is linked with, so that what it says of the library is true of llama-bench.
# Deferred, because the library is not defined yet when project() includes this file.
set(CLOUDBENCH_SYSTEM_INFO_SOURCE "${CMAKE_CURRENT_LIST_DIR}/system_info.cpp")
cmake_language(DEFER CALL add_executable llama-system-info "${CLOUDBENCH_SYSTEM_INFO_SOURCE}")
cmake_language(DEFER CALL target_link_libraries llama-system-info PRIVATE llama)
