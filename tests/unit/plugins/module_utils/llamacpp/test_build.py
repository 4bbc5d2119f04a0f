# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import build
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.build import BuildError

TARGETS = ["llama-bench", "llama-quantize", "llama-system-info"]
SOURCE = {
    "type": "pypi", "name": "llama-cpp-python 0.3.36", "version": "0.3.36", "commit": "0c1e57098",
    "sha256": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e", "url": None,
}  # fmt: skip
TOOLS = {
    "paths": {"C++ compiler": "/usr/bin/c++"}, "missing": [], "compiler": "c++ (Debian 12.2.0-14+deb12u1) 12.2.0",
    "cmake": "3.25.1", "march": "znver3",
}  # fmt: skip
CONFIGURATION = {
    "arguments": ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON"], "way": "native", "core": "zen3", "march": None,
    "warnings": [],
}  # fmt: skip
FLAGS = ["pni", "ssse3", "avx", "avx2", "f16c", "fma", "bmi2"]
SYSTEM_INFO = (
    "CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | LLAMAFILE = 1 | OPENMP = 1 | "
    "REPACK = 1 |"
)

# What compilers show with -###, shortened: gcc 12.2 on an AMD EPYC, clang 14, and a gcc that knows no native.
GCC = """Using built-in specs.
Configured with: ../src/configure -v --with-arch-32=i686 --with-abi=m64 --with-tune=generic
COLLECT_GCC_OPTIONS='-march=native' '-c' '-o' '/dev/null' '-shared-libgcc'
 /usr/lib/gcc/x86_64-linux-gnu/12/cc1plus -quiet -D_GNU_SOURCE /dev/null "-march=znver3" -mmmx -mpopcnt "-mtune=znver3"
COLLECT_GCC_OPTIONS='-march=native' '-c' '-o' '/dev/null' '-shared-libgcc'
"""
CLANG = """Debian clang version 14.0.6
 (in-process)
 "/usr/lib/llvm-14/bin/clang" "-cc1" "-triple" "x86_64-pc-linux-gnu" "-target-cpu" "znver3" "-target-feature" "+avx2"
"""
REFUSED = "c++: error: unrecognized command-line option '-march=native'\n"


IK_HELP = (Path(__file__).parents[4] / "fixtures" / "help" / "llama-batched-bench-ik-0.1.5.txt").read_text("utf-8")


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def built(tmp_path):
    """A build directory whose programs are scripts that end as the real ones do."""
    program(tmp_path / "bin" / "llama-bench", "[ $1 = --help ]")
    program(tmp_path / "bin" / "llama-quantize", "echo '   2  or  Q4_0    :  4.34G'; exit 1")
    program(tmp_path / "bin" / "llama-system-info", f"echo '{SYSTEM_INFO} '")
    return tmp_path


@pytest.fixture
def processor(monkeypatch):
    monkeypatch.setattr(build.machine, "features", lambda: FLAGS)


def test_a_build_is_run_described_and_found_again(built, processor):
    (built / "compile_commands.json").write_text(
        json.dumps(
            [
                {"file": "/s/ggml/src/ggml.c", "command": "cc -O3 -c /s/ggml/src/ggml.c"},
                {
                    "file": "/s/ggml/src/ggml-cpu/ggml-cpu.c",
                    "command": "cc '-DNAME=\"a b\"' -O3 -DNDEBUG -Wall -march=native -MD -fopenmp -c /s/ggml-cpu.c",
                },
            ]
        )
    )
    made = build.describe(str(built), "default", SOURCE, CONFIGURATION, TARGETS, TOOLS)
    assert made["system_info"] == SYSTEM_INFO
    assert made["compile_flags"] == ["-O3", "-march=native"]
    assert made["march"] == "znver3"
    assert made["file_types"] == ["Q4_0"]
    assert (made["way"], made["core"]) == ("native", "zen3")
    assert made["cpu_features"][-4:] == ["BMI2", "LLAMAFILE", "OPENMP", "REPACK"]
    assert made["cpu_features_unused"] == []
    assert made["binaries"] == {
        name: hashlib.sha256((built / "bin" / name).read_bytes()).hexdigest() for name in TARGETS
    }
    assert build.read_stamp(str(built), "default", TARGETS) is None
    build.write_stamp(str(built), made)
    assert build.read_stamp(str(built), "default", TARGETS) == made
    renamed = build.read_stamp(str(built), "again", TARGETS)
    assert renamed["name"] == "again"
    assert renamed["id"] != made["id"]


def test_what_the_programs_know_is_recorded_and_added_to_an_older_record(built, processor):
    program(
        built / "bin" / "llama-bench",
        """case $1 in
--help) echo '  -m, --model <filename>  (default: x)'; echo '  --version               show version and build info';;
--version) echo 'version: 0.5.0 (build 4321, commit 0c1e57098)' >&2;;
*) exit 1;;
esac""",
    )
    made = build.describe(str(built), "default", SOURCE, CONFIGURATION, TARGETS, TOOLS)
    assert made["options"] == {"llama-bench": ["--model", "--version", "-m"], "llama-quantize": []}
    assert (made["version"], made["build_number"]) == ("0.5.0", 4321)
    printed = build.run_programs(str(built), TARGETS)
    assert build.with_capabilities(str(built), made, printed) is made
    old = {name: value for name, value in made.items() if name not in ("options", "version", "build_number")}
    build.write_stamp(str(built), build.with_id(old))
    found = build.read_stamp(str(built), "default", TARGETS)
    assert build.with_capabilities(str(built), found, printed) == made


@pytest.mark.parametrize(
    "spoil",
    [
        lambda directory: program(directory / "bin" / "llama-bench", "exit 0"),
        lambda directory: (directory / "bin" / "llama-quantize").unlink(),
        lambda directory: (directory / "build.json").write_text('{"binaries": {"llama-bench"'),
        lambda directory: (directory / "build.json").write_text("[]"),
        lambda directory: (directory / "build.json").write_text("{}"),
        lambda directory: (directory / "build.json").rename(directory / "build.json.new"),
    ],
    ids=["changed program", "missing program", "half a stamp", "a list", "empty", "never finished"],
)
def test_what_is_no_whole_build_is_none(built, processor, spoil):
    build.write_stamp(str(built), build.describe(str(built), "default", SOURCE, CONFIGURATION, TARGETS, TOOLS))
    spoil(built)
    assert build.read_stamp(str(built), "default", TARGETS) is None


def test_a_target_more_than_was_built_is_no_build(built, processor):
    build.write_stamp(str(built), build.describe(str(built), "default", SOURCE, CONFIGURATION, TARGETS, TOOLS))
    assert build.read_stamp(str(built), "default", [*TARGETS, "llama-server"]) is None


def test_a_build_for_another_processor_is_refused_by_what_it_says(built, monkeypatch):
    monkeypatch.setattr(build.machine, "features", lambda: ["pni", "ssse3", "avx", "f16c", "fma", "bmi2"])
    with pytest.raises(BuildError, match="built for AVX2, which this processor does not have"):
        build.describe(str(built), "default", SOURCE, CONFIGURATION, TARGETS, TOOLS)


@pytest.mark.parametrize(
    ("name", "script", "message"),
    [
        ("llama-bench", "kill -ILL $$", r"llama-bench dies of an illegal instruction \(SIGILL\)"),
        (
            "llama-bench",
            "echo \"llama-bench: /lib/libc.so.6: version 'GLIBC_2.36' not found\" >&2; exit 1",
            "C library is older than the one it was built with: let the host compile",
        ),
        ("llama-quantize", "kill -SEGV $$", "llama-quantize is ended by signal 11 as soon as it starts"),
        ("llama-bench", "echo 'libgomp.so.1: cannot open' >&2; exit 127", r"exit code 127 .*: libgomp\.so\.1: cannot"),
        ("llama-system-info", "exit 1", "llama-system-info ends with exit code 1 as soon as it starts: it said"),
        ("llama-quantize", None, r"llama-quantize cannot be run: .*No such file"),
    ],
)
def test_a_program_that_does_not_run_is_no_build(built, name, script, message):
    if script is None:
        (built / "bin" / name).unlink()
    else:
        program(built / "bin" / name, script)
    with pytest.raises(BuildError, match=message):
        build.run_programs(str(built), TARGETS)


def test_an_illegal_instruction_is_explained_by_what_the_processor_lacks(built, monkeypatch):
    monkeypatch.setattr(build.machine, "features", lambda: ["asimd", "asimdhp", "asimddp"])
    program(built / "bin" / "llama-bench", "kill -ILL $$")
    made = build.Made("neoverse-v1", "armv8.4-a+sve+i8mm+bf16+dotprod+fp16")
    with pytest.raises(BuildError) as raised:
        build.run_programs(str(built), TARGETS, made)
    words = str(raised.value)
    assert "built for neoverse-v1 (-march=armv8.4-a+sve+i8mm+bf16+dotprod+fp16)" in words
    assert "this processor has no sve, i8mm, bf16;" in words
    assert "llama_cpp_way: native" in words


@pytest.mark.parametrize(
    ("march", "flags", "lacks"),
    [
        ("armv8.2-a+dotprod+fp16", ["asimd"], ["dotprod", "fp16"]),
        ("armv8.2-a+dotprod+fp16", ["asimddp", "asimdhp"], []),
        ("armv9-a+nosve", [], []),
        ("znver3", [], []),
        (None, [], []),
    ],
)
def test_what_a_march_asks_for_by_name(march, flags, lacks):
    assert build.lacking(march, flags) == lacks


def test_a_program_that_ends_its_help_with_1_works(built):
    """As those of ik_llama.cpp do, but for llama-bench."""
    (built / "help").write_text(IK_HELP)
    program(built / "bin" / "llama-batched-bench", f"cat {built}/help >&2; exit 1")
    printed = build.run_programs(str(built), ["llama-batched-bench"])
    assert printed["llama-batched-bench"] == IK_HELP


def test_what_a_program_writes_where_it_is_started_is_gone_with_it(built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    program(built / "bin" / "llama-batched-bench", "echo log > llama.log; echo --help")
    build.run_programs(os.path.relpath(built), ["llama-batched-bench"])
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == [
        built / "bin" / "llama-batched-bench"
    ]


def test_the_libraries_that_are_not_there_are_named(built):
    words = "llama-bench: error while loading shared libraries: libgomp.so.1: cannot open shared object file"
    program(built / "bin" / "llama-bench", f"echo '{words}' >&2; exit 127")
    assert build.missing_libraries(str(built), TARGETS) == ["libgomp.so.1"]


@pytest.mark.parametrize(
    ("flags", "native", "march"),
    [
        (["-O3", "-march=native"], "znver3", "znver3"),
        (["-O3", "-march=armv8.2-a+dotprod+fp16"], None, "armv8.2-a+dotprod+fp16"),
        (["-mcpu=neoverse-v1"], None, "neoverse-v1"),
        (["-O3", "-mavx2"], "znver3", None),
    ],
)
def test_the_march_that_was_really_used(flags, native, march):
    assert build.used_march(flags, native) == march


def test_a_program_for_another_architecture_is_no_build(built):
    (built / "bin" / "llama-bench").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(60))
    with pytest.raises(BuildError, match=r"llama-bench cannot be run: .*Exec format error"):
        build.run_programs(str(built), TARGETS)


def test_system_info_is_asked_only_of_the_program_that_tells_it(built):
    assert build.run_programs(str(built), TARGETS)["llama-system-info"].strip() == SYSTEM_INFO
    assert "llama-system-info" not in build.run_programs(str(built), ["llama-bench"])


@pytest.mark.parametrize("text", [None, "", "[{", "[]", '[{"file": "/s/ggml/src/other.c", "command": "cc -O3"}]'])
def test_flags_nobody_wrote_down_are_none(tmp_path, text):
    if text is not None:
        (tmp_path / "compile_commands.json").write_text(text)
    assert build.compile_flags(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("answers", "march"),
    [
        ({"-march": GCC}, "znver3"),
        ({"-march": CLANG}, "znver3"),
        ({"-march": REFUSED, "-mcpu": ' /usr/libexec/cc1plus "-mcpu=neoverse-v1+crypto"\n'}, "neoverse-v1+crypto"),
        ({"-march": REFUSED}, None),
        ({}, None),
    ],
)
def test_the_native_processor_is_read_from_what_the_compiler_would_run(tmp_path, answers, march):
    cases = ""
    for option, text in answers.items():
        (tmp_path / option).write_text(text)
        cases += f"{option}=native) cat {tmp_path}/{option} >&2;; "
    compiler = program(tmp_path / "c++", f"case $1 in {cases}*) exit 1;; esac")
    assert build.native_march(compiler) == march


def test_missing_tools_are_named_and_second_names_count(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    nothing = build.toolchain()
    assert nothing["paths"] == dict.fromkeys(["C compiler", "C++ compiler", "CMake", "Ninja", "ccache"])
    assert nothing["missing"] == ["C compiler", "C++ compiler", "CMake", "Ninja"]
    assert nothing["helpful"] == ["ccache"]
    assert [nothing[name] for name in ("compiler", "kind", "major", "triple", "cmake", "march")] == [None] * 6
    program(
        tmp_path / "clang++",
        "case $1 in -dumpversion) echo 14.0.6;; -dumpmachine) echo x86_64-pc-linux-gnu;; "
        "--version) echo 'Debian clang version 14.0.6'; echo 'Target: x86_64-pc-linux-gnu';; *) exit 1;; esac",
    )
    program(tmp_path / "cmake", "echo 'cmake version 3.25.1'; echo; echo 'CMake suite maintained by Kitware'")
    ninja = program(tmp_path / "ninja-build", "exit 0")
    found = build.toolchain()
    assert found["paths"]["Ninja"] == ninja
    assert found["missing"] == ["C compiler"]
    assert (found["compiler"], found["cmake"]) == ("Debian clang version 14.0.6", "3.25.1")
    assert (found["kind"], found["major"], found["triple"]) == ("clang", 14, "x86_64-pc-linux-gnu")


def test_a_compiler_that_is_asked_for_is_looked_for_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("cc", "c++", "gcc", "g++", "clang"):
        program(tmp_path / name, "echo '%s 12.2.0'" % name)
    assert build.toolchain("", "clang")["missing"] == ["C++ compiler", "CMake", "Ninja"]
    program(tmp_path / "clang++", "echo 'Debian clang version 14.0.6'")
    found = build.toolchain("", "clang")
    assert found["paths"]["C compiler"] == str(tmp_path / "clang")
    assert (found["compiler"], found["kind"]) == ("Debian clang version 14.0.6", "clang")
    assert build.toolchain("", "gcc")["paths"]["C++ compiler"] == str(tmp_path / "g++")
    assert build.toolchain()["paths"]["C++ compiler"] == str(tmp_path / "c++")


def test_whose_code_a_build_is_is_recorded_and_added_to_an_older_record(built, processor):
    told = {"engine": "ik_llama.cpp", "licence": "MIT", "provenance": ["an sdist, by somebody"]}
    made = build.describe(str(built), "ik", SOURCE, {**CONFIGURATION, **told}, TARGETS, TOOLS)
    assert {name: made[name] for name in told} == told
    # Nobody has named a licence of a git source.
    silent = {**CONFIGURATION, "engine": "llama.cpp", "licence": "", "provenance": []}
    plain = build.describe(str(built), "default", SOURCE, silent, TARGETS, TOOLS)
    assert plain["engine"] == "llama.cpp"
    assert not {"licence", "provenance"} & set(plain)
    old = build.describe(str(built), "ik", SOURCE, CONFIGURATION, TARGETS, TOOLS)
    assert build.with_origin(old, {**CONFIGURATION, **told}) == made
    assert build.with_origin(made, {**CONFIGURATION, **told}) is made
    assert build.with_origin(made, None) is made


def test_a_cross_compiler_is_found_by_its_prefix_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path / "g++", "echo 'g++ (GCC) 12.2.0'")
    assert build.toolchain("aarch64-linux-gnu-")["missing"] == ["C compiler", "C++ compiler", "CMake", "Ninja"]
    program(tmp_path / "aarch64-linux-gnu-g++", "[ $1 = -dumpmachine ] && echo aarch64-linux-gnu || echo 12")
    found = build.toolchain("aarch64-linux-gnu-")
    assert found["missing"] == ["C compiler", "CMake", "Ninja"]
    assert (found["triple"], found["major"], found["march"]) == ("aarch64-linux-gnu", 12, None)
