#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ik-llama-cpp-python 0.1.5: its sdist carries the tree of ik_llama.cpp with all of its programs, and none of them can be
# built from it. Each links common, whose CMakeLists.txt makes build-info.cpp by a script of the folder common/cmake; the
# sdist has no such folder. CMake configures without a word, for the script is only run by the build; the package itself
# builds no program and does not meet it.
#
# Behaviour seen on 2026-11-29:
#
#     examples in the sdist      llama-bench, llama-perplexity, llama-quantize, llama-server are there
#     common/cmake               not in the sdist
#     cmake -S ... -B ...        ends with 0
#     ninja common/build-info    ends with 1: cannot find common/cmake/build-info-gen-cpp.cmake
#
# So who builds a program of it first makes that script: it has to write build-info.cpp with LLAMA_BUILD_NUMBER,
# LLAMA_COMMIT, LLAMA_COMPILER and LLAMA_BUILD_TARGET.
# Ends with 1 where the package does otherwise. Needs Python 3.11 or newer, a C++ compiler and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip")
"${pip[@]}" install --quiet --disable-pip-version-check cmake==3.31.10 ninja==1.13.0
"${pip[@]}" download --quiet --disable-pip-version-check --no-deps --no-binary ik-llama-cpp-python --dest "$folder" \
  ik-llama-cpp-python==0.1.5
tar --extract --gzip --file "$folder"/ik_llama_cpp_python-0.1.5.tar.gz --directory "$folder"
tree=$folder/ik_llama_cpp_python-0.1.5/vendor/ik_llama.cpp
export PATH=$folder/venv/bin:$PATH
same=yes

echo "ik-llama-cpp-python 0.1.5"
for program in llama-bench perplexity quantize server; do
  [[ -e $tree/examples/$program/CMakeLists.txt ]] || same=no
done
echo "examples in the sdist: $(cd "$tree/examples" && echo llama-bench perplexity quantize server)"
if [[ -e $tree/common/cmake ]]; then same=no; fi
echo "common/cmake: $(ls "$tree/common/cmake" 2>/dev/null || echo none)"
cmake -S "$tree" -B "$folder/build" -G Ninja -DGGML_CCACHE=OFF -DLLAMA_CURL=OFF >"$folder/cmake.log" 2>&1 || same=no
echo "cmake configures: $same"
target=$(ninja -C "$folder/build" -t targets all | sed -n 's/^\([^ ]*build-info\.cpp\): .*/\1/p' | head -n 1)
if ninja -C "$folder/build" "$target" >"$folder/ninja.log" 2>&1; then same=no; fi
grep -o 'Not a file:.*\|[^ ]*build-info-gen-cpp.cmake.*' "$folder/ninja.log" | sed "s|$folder|...|g" | head -n 2
grep -q build-info-gen-cpp.cmake "$folder/ninja.log" || same=no
if [[ $same == yes ]]; then
  echo "as described"
else
  echo "NOT as described"
  exit 1
fi
