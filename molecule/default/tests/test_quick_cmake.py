# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs.cmake makes of a project with llama.cpp's targets: real CMake, and a real compiler."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

# The role has installed the tool chain by now.
testinfra_hosts = ["local://"]

PROGRAMS = Path(__file__).resolve().parents[3] / "roles" / "llama_cpp" / "files" / "programs"


# How much less each target is optimised, by what the names of its files begin with.
LESS = {"mtmd-": "-O0", "server-context-": "-O2", "llama-server-impl-": "-O2", "common-": "-O1", "cpp-httplib-": "-O1"}

# The targets of llama.cpp 0c1e57098, each with a few of its files.
CURRENT = """
add_library(ggml-base ggml.cpp)
add_library(ggml-cpu ops.cpp)
target_compile_options(ggml-cpu PRIVATE -march=native)
add_library(ggml ggml-backend-reg.cpp)
target_link_libraries(ggml PUBLIC ggml-cpu ggml-base)
add_library(llama llama.cpp llama-sampler.cpp)
target_link_libraries(llama PUBLIC ggml)
add_library(mtmd clip.cpp mtmd.cpp mtmd-helper.cpp models/llava.cpp models/pixtral.cpp)
target_link_libraries(mtmd PUBLIC llama)
add_library(llama-common arg.cpp common.cpp sampling.cpp ${CMAKE_SOURCE_DIR}/parsers/kimi.cpp parsers/cohere.cpp
  jinja/lexer.cpp jinja/value.cpp chat.cpp peg-parser.cpp)
target_link_libraries(llama-common PUBLIC llama)
add_library(cpp-httplib STATIC httplib.cpp)
target_link_libraries(llama-common PRIVATE cpp-httplib)
add_library(server-context STATIC server-context.cpp server-task.cpp server-schema.cpp)
target_link_libraries(server-context PUBLIC llama-common mtmd)
add_executable(llama-bench llama-bench.cpp)
target_link_libraries(llama-bench PRIVATE llama-common llama)
add_executable(llama-server main.cpp)
target_link_libraries(llama-server PRIVATE server-context)
"""
# Those of b3826, before the libraries got names of their own.
LEGACY = """
add_library(ggml ggml.cpp ops.cpp)
add_library(llama llama.cpp)
target_link_libraries(llama PUBLIC ggml)
add_library(common STATIC arg.cpp common.cpp sampling.cpp json-schema-to-grammar.cpp train.cpp)
target_link_libraries(common PUBLIC llama)
add_executable(llama-bench llama-bench.cpp)
target_link_libraries(llama-bench PRIVATE common llama)
"""
# Files whose speed is measured, or that run once a token, by what they are called.
KEPT = {
    CURRENT: {
        "ggml.cpp", "ops.cpp", "ggml-backend-reg.cpp", "llama.cpp", "llama-sampler.cpp", "common.cpp", "sampling.cpp",
        "server-context.cpp", "server-task.cpp", "llama-bench.cpp", "main.cpp", "system_info.cpp", "roofline.cpp",
    },
    LEGACY: {
        "ggml.cpp", "ops.cpp", "llama.cpp", "common.cpp", "sampling.cpp", "llama-bench.cpp", "system_info.cpp",
        "roofline.cpp",
    },
}  # fmt: skip
# Every file has a copy of this function, as of a template of the standard library. It says how it was compiled.
SHARED = """#pragma once
__attribute__((noinline)) inline int optimised() {
#ifdef __OPTIMIZE__
    return 1;
#else
    return 0;
#endif
}
"""
# What system_info.cpp of our own programs asks of the library.
LLAMA_H = "#pragma once\nconst char * llama_print_system_info();\n"


def tree(directory: Path, targets: str) -> Path:
    """Write a source tree with these targets; llama-bench asks llama and ggml which copy they call."""
    (directory / "CMakeLists.txt").parent.mkdir(parents=True)
    (directory / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.19)\nproject(llama.cpp C CXX)\nset(CMAKE_EXPORT_COMPILE_COMMANDS ON)\n"
        "set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)\ninclude_directories(${CMAKE_SOURCE_DIR})\n"
        + targets
    )
    (directory / "shared.h").write_text(SHARED)
    (directory / "llama.h").write_text(LLAMA_H)
    words = targets.replace("${CMAKE_SOURCE_DIR}/", "").replace(")", "").split()
    for name in {word for word in words if word.endswith(".cpp")}:
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        function = "of_" + "".join(letter if letter.isalnum() else "_" for letter in name.removesuffix(".cpp"))
        text = f'#include "shared.h"\nint {function}() {{ return optimised(); }}\n'
        if name == "llama.cpp":
            text += '#include "llama.h"\nconst char * llama_print_system_info() { return "AVX2 = 1"; }\n'
        if name == "main.cpp":
            text += "int main() { return 0; }\n"
        if name == "llama-bench.cpp":
            # Without a copy of its own, which would come before all others.
            text = (
                "#include <cstdio>\nint of_arg(); int of_llama(); int of_ops();\n"
                'int main() { of_arg(); std::printf("%d %d\\n", of_llama(), of_ops()); return 0; }\n'
            )
        path.write_text(text)
    return directory


def configured(source: Path, build: Path, *options: str) -> dict[str, list[str]]:
    """Configure as the role does and return the words of each file's compilation, paths left out."""
    command = ["cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    command += [
        "-DBUILD_SHARED_LIBS=OFF",
        f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={PROGRAMS / 'programs.cmake'}",
        "-DCMAKE_CXX_COMPILER_LAUNCHER=",
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    commands = json.loads((build / "compile_commands.json").read_text("utf-8"))
    return {row["file"]: [word for word in shlex.split(row["command"]) if str(build) not in word] for row in commands}


def names(commands: dict[str, list[str]]) -> set[str]:
    return {Path(path).name for path in commands}


@pytest.mark.parametrize("targets", [CURRENT, LEGACY], ids=["current", "legacy"])
def test_ggml_and_llama_are_compiled_as_ever_and_what_is_not_measured_together(tmp_path, targets):
    source = tree(tmp_path / "source", targets)
    quick = configured(source, tmp_path / "quick")
    plain = configured(source, tmp_path / "plain", "-DCLOUDBENCH_QUICK_COMMON=OFF")
    kept = {path: words for path, words in quick.items() if "/cloudbench/" not in path}
    assert names(kept) == KEPT[targets]
    assert kept == {path: plain[path] for path in kept}
    for path, words in quick.items():
        less = next((level for part, level in LESS.items() if part in path), "")
        assert ([word for word in words if word.startswith("-O")] == ["-O3", less]) is (path not in kept)
        assert "-O3" in words
    # Every file is compiled once: by itself, or as part of one of ours.
    together = [
        line.split('"')[1] for path in quick if path not in kept for line in Path(path).read_text().splitlines()
    ]
    assert len(together) == len(set(together)) == len(plain) - len(kept)
    assert not any(Path(path).is_absolute() for path in together)
    found = {str((tmp_path / "quick" / "cloudbench" / path).resolve()) for path in together}
    assert found | set(kept) == set(plain)


def test_no_code_of_ggml_and_llama_comes_out_of_a_file_without_optimisation(tmp_path):
    source = tree(tmp_path / "source", CURRENT)
    configured(source, tmp_path / "quick")
    subprocess.run(["ninja", "-C", tmp_path / "quick", "llama-bench", "llama-server"], check=True, timeout=300)
    said = subprocess.run([tmp_path / "quick" / "bin" / "llama-bench"], capture_output=True, text=True, check=True)
    assert said.stdout == "1 1\n"


@pytest.mark.parametrize("option", ["-DBUILD_SHARED_LIBS=ON", "-DGGML_LTO=ON", "-DCLOUDBENCH_QUICK_COMMON=OFF"])
def test_a_build_that_is_linked_by_other_rules_is_left_as_it_is(tmp_path, option):
    commands = configured(tree(tmp_path / "source", LEGACY), tmp_path / "b", option)
    assert not [path for path in commands if "/cloudbench/" in path]
    assert not [words for words in commands.values() if {"-O0", "-O1", "-O2"} & set(words)]


def test_the_script_that_an_sdist_of_ik_llama_cpp_lacks_writes_its_four_variables(tmp_path: Path) -> None:
    """As its own build runs it: in the root of the tree, with the compiler."""
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "build-info.cpp.in").write_text(
        "int LLAMA_BUILD_NUMBER = @BUILD_NUMBER@;\n"
        'char const *LLAMA_COMMIT = "@BUILD_COMMIT@";\n'
        'char const *LLAMA_COMPILER = "@BUILD_COMPILER@";\n'
        'char const *LLAMA_BUILD_TARGET = "@BUILD_TARGET@";\n'
    )
    script = PROGRAMS.parent / "build-info-gen-cpp.cmake"
    subprocess.run(["cmake", "-DMSVC=", "-DCMAKE_C_COMPILER=cc", "-P", script], cwd=tmp_path, check=True)
    version = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    triple = subprocess.run(["cc", "-dumpmachine"], capture_output=True, text=True, check=True).stdout.strip()
    assert (tmp_path / "common" / "build-info.cpp").read_text() == (
        "int LLAMA_BUILD_NUMBER = 0;\n"
        'char const *LLAMA_COMMIT = "unknown";\n'
        f'char const *LLAMA_COMPILER = "{version}";\n'
        f'char const *LLAMA_BUILD_TARGET = "{triple}";\n'
    )
