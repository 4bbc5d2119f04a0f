# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama-roofline, compiled by CMake as in llama.cpp's build, by each compiler that this machine has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).resolve().parents[2] / "roles" / "llama_cpp" / "files" / "programs"
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)] or ["none"]

# A project with llama.cpp's name and its library, which has nothing in it.
PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(llama.cpp CXX)
set(GGML_NATIVE ON)
add_library(llama INTERFACE)
"""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_roofline_compiles_and_measures(compiler: str, tmp_path: Path) -> None:
    if compiler == "none" or not shutil.which("cmake"):
        pytest.skip("no C++ compiler or no CMake on this machine; role llama_cpp installs them")
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    configure = [
        "cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_CXX_COMPILER={compiler}",
        "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={PROGRAMS / 'programs.cmake'}",
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", tmp_path / "build", "--target", "llama-roofline"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    (program,) = (path for path in (tmp_path / "build").rglob("llama-roofline") if os.access(path, os.X_OK))
    words = [program, "--threads", "1", "--bytes", str(1 << 24), "--repetitions", "1"]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    rates = json.loads(said)
    assert min(*rates["read_gb_s"], *rates["triad_gb_s"], *rates["fma_gflops"], 1.0) > 0, said
