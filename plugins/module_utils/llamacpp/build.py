# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build of llama.cpp on this machine: the tool chain, whether a build is there, and what it turned out to be.

Where it is compiled and where it runs may be two machines: the tool chain is asked on the first, the rest on the other.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import tempfile
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import listed
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import machine
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digests import sha256_file
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical, with_id
from ansible_collections.cloudbench.llama.plugins.module_utils.system import environment, process

# Programs a build cannot do without: purpose -> names, the first that is found is used.
REQUIRED = {"C compiler": ("cc", "gcc", "clang"), "C++ compiler": ("c++", "g++", "clang++"), "CMake": ("cmake",),
            "Ninja": ("ninja", "ninja-build")}  # fmt: skip
# What may be asked for instead of whatever is found first: its names for C and C++.
COMPILERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++")}
# Programs a build is faster with.
OPTIONAL = {"ccache": ("ccache",)}

# Extensions of an -march -> the flag in /proc/cpuinfo of a processor that has them.
# Source: gcc's AArch64 options and Documentation/arch/arm64/elf_hwcaps.rst of Linux.
_EXTENSIONS = {
    "dotprod": "asimddp", "fp16": "asimdhp", "i8mm": "i8mm", "bf16": "bf16", "sve": "sve", "sve2": "sve2",
}  # fmt: skip

# What of a build its source and its preset say beforehand.
_ORIGIN = ("engine", "licence", "provenance")

_STAMP = "build.json"
# The programs asked here answer at once; this is for one that hangs.
_SECONDS = 60
_VOCABULARY = "ggml-vocab-llama-bpe.gguf"


class BuildError(ValueError):
    """A build is missing or does not work; the message says why and what to do."""


def _output(argv: List[str]) -> str:
    """Return what a short command prints on both streams; an empty string when it cannot be run."""
    try:
        done = process.run(argv, _SECONDS)
    except OSError:
        return ""
    return done.stdout + done.stderr


def toolchain(prefix: str = "", compiler: str = "") -> Dict[str, Any]:
    """Return what there is to compile with.

    {"prefix", "paths": {purpose: path or None}, "missing", "helpful", "compiler", "kind", "major", "triple", "cmake",
    "march"}.

    `prefix`: what stands before gcc and g++ in the names of a cross compiler, such as aarch64-linux-gnu-. `compiler`:
    gcc or clang, where it has to be that one.
    `missing`: purposes without which there is no build; `helpful`: those that are absent and only make it faster.
    `compiler` is the first line of the C++ compiler's --version, `kind` gcc or clang, `major` its version, `triple`
    what it makes programs for. `march` is what -march=native means to it here, None for a cross compiler.
    """
    names = dict(REQUIRED)
    if prefix:
        names.update({"C compiler": (prefix + "gcc",), "C++ compiler": (prefix + "g++",)})
    elif compiler:
        names.update({"C compiler": COMPILERS[compiler][:1], "C++ compiler": COMPILERS[compiler][1:]})
    paths: Dict[str, Optional[str]] = {}
    for purpose, wanted in list(names.items()) + list(OPTIONAL.items()):
        paths[purpose] = next((path for path in map(shutil.which, wanted) if path), None)
    cxx, cmake = paths["C++ compiler"], paths["CMake"]
    version = _output([cxx, "--version"]) if cxx else ""
    return {
        "prefix": prefix,
        "paths": paths,
        "missing": [purpose for purpose in names if not paths[purpose]],
        "helpful": [purpose for purpose in OPTIONAL if not paths[purpose]],
        "compiler": version.partition("\n")[0] or None,
        "kind": compiler_kind(version),
        "major": compiler_major(_output([cxx, "-dumpversion"])) if cxx else None,
        "triple": _output([cxx, "-dumpmachine"]).strip() or None if cxx else None,
        "cmake": _output([cmake, "--version"]).partition("\n")[0].replace("cmake version ", "") if cmake else None,
        "march": native_march(cxx) if cxx and not prefix else None,
    }


def compiler_kind(version: str) -> Optional[str]:
    """Return gcc or clang by what --version says, None when there is no compiler."""
    if not version:
        return None
    return "clang" if "clang" in version.lower() else "gcc"


def compiler_major(dumped: str) -> Optional[int]:
    """Return 12 of `12.2.0`, None of anything else."""
    match = re.match(r"(\d+)(?:\.|$)", dumped.strip())
    return int(match.group(1)) if match else None


def native_march(compiler: str) -> Optional[str]:
    """Return the processor that the compiler takes -march=native (-mcpu=native on Arm) for, None when it does not say.

    Both gcc and clang show with -### the command they would run, with the native processor resolved.
    """
    for option in ("-march=native", "-mcpu=native"):
        shown = _output([compiler, option, "-###", "-x", "c++", "-c", os.devnull, "-o", os.devnull])
        match = re.search(r"\"?-m(?:arch|cpu)=(?!native)([\w.+-]+)", shown) or re.search(
            r"\"-target-cpu\" \"(?!native)([\w.+-]+)\"", shown
        )
        if match:
            return match.group(1)
    return None


def compile_flags(directory: str) -> List[str]:
    """Return the -m and -O flags with which the processor kernels were really compiled (compile_commands.json)."""
    try:
        with open(os.path.join(directory, "compile_commands.json"), encoding="utf-8") as file:
            commands = json_text.loads(file.read())
    except (OSError, ValueError):
        return []
    for name in ("/ggml-cpu.c", "/ggml.c"):
        for command in commands:
            if command.get("file", "").endswith(name):
                words = shlex.split(command.get("command", ""))
                return [word for word in words if re.match(r"-(m|O)", word)]
    return []


def used_march(flags: List[str], native: Optional[str]) -> Optional[str]:
    """Return the processor that `flags` were compiled for, `native` where the compiler was to look at it itself."""
    for flag in flags:
        match = re.match(r"-m(?:arch|cpu)=(.+)", flag)
        if match:
            return native if match.group(1) == "native" else match.group(1)
    return None


def lacking(march: Optional[str], flags: List[str]) -> List[str]:
    """Return the extensions that an Arm `march` asks for by name and a processor with the cpuinfo `flags` lacks."""
    asked = (march or "").split("+")[1:]
    return [name for name in asked if name in _EXTENSIONS and _EXTENSIONS[name] not in flags]


class Made(NamedTuple):
    """What a build was made for, for the words of an error: the core of the catalog, and the -march, where known."""

    core: Optional[str] = None
    march: Optional[str] = None


NOBODY = Made()


def _illegal(target: str, made: Made) -> str:
    """Say why a program died of an illegal instruction."""
    built = made.core or made.march or "another processor"
    if made.core and made.march:
        built += " (-march=%s)" % made.march
    lacks = lacking(made.march, machine.features())
    return (
        "%s dies of an illegal instruction (SIGILL): it was built for %s, and this processor has no %s; build it for "
        "this processor: leave llama_cpp_processor empty, or let the host compile (llama_cpp_way: native)"
        % (target, built, ", ".join(lacks) or "such instructions")
    )


def run_programs(directory: str, targets: List[str], made: Made = NOBODY) -> Dict[str, str]:
    """Run every program of a build once and return what each prints. Raises BuildError.

    A binary that was built for another processor dies here, of an illegal instruction, and not while measuring.
    """
    printed = {}
    for target in targets:
        done = _run(directory, target)
        if done.timed_out:
            raise BuildError("%s hangs when it starts; remove %s and build again" % (target, directory))
        if done.signal == signal.SIGILL:
            raise BuildError(_illegal(target, made))
        if done.signal is not None:
            raise BuildError(
                "%s is ended by signal %d as soon as it starts; remove %s and build again"
                % (target, done.signal, directory)
            )
        # llama-quantize --help ends with 1, as most of ik_llama.cpp's programs do, and the loader that finds an old
        # C library: the list of types tells, or that of the options.
        code, said = done.exit_code or 0, done.stdout + done.stderr
        helped = code == 1 and (listed(said) if target == "llama-quantize" else "-m" in capabilities.parse_help(said))
        if code and not helped:
            words = (done.stderr.strip().splitlines()[-1:] or ["it said nothing"])[0]
            remedy = "remove %s and build again" % directory
            if "GLIBC" in words:
                remedy = "its C library is older than the one it was built with: let the host compile"
            raise BuildError("%s ends with exit code %d as soon as it starts: %s; %s" % (target, code, words, remedy))
        printed[target] = done.stdout + done.stderr if target != "llama-system-info" else done.stdout
    return printed


def _run(directory: str, target: str, option: str = "--help") -> process.Finished:
    path = os.path.abspath(os.path.join(directory, "bin", target))
    try:
        argv = [path] if target in capabilities.WITHOUT_HELP else [path, option]
        # Some of ik_llama.cpp's programs write a file where they are started, even for their help.
        with tempfile.TemporaryDirectory() as scratch:
            return process.run(argv, _SECONDS, environment.libraries(), scratch, clean=True)
    except OSError as error:
        raise BuildError("%s cannot be run: %s; remove %s and build again" % (target, error, directory)) from error


def missing_libraries(directory: str, targets: List[str]) -> List[str]:
    """Return the shared libraries without which the programs of a build cannot start on this machine."""
    names = []
    for target in targets:
        words = _run(directory, target).stderr
        names += re.findall(r"error while loading shared libraries: ([^\s:]+): cannot open", words)
    return sorted(set(names))


def describe(
    directory: str,
    name: str,
    source: Dict[str, Any],
    configuration: Dict[str, Any],
    targets: List[str],
    tools: Dict[str, Any],
) -> Dict[str, Any]:
    """Run a fresh build, compare it with this processor and return the payload of its record. Raises BuildError.

    `configuration`: {"arguments", "way", "core", "march", "warnings"} of the build, and {"engine", "licence",
    "provenance"}, as far as they are known. `tools`: the tool chain it was
    compiled with. The version is ours, from the source that was verified: the tool's own stamp names whatever git
    repository it happened to be built inside of.
    """
    flags = compile_flags(directory)
    march = used_march(flags, tools["march"])
    printed = run_programs(directory, targets, Made(configuration.get("core"), march))
    system_info = printed.get("llama-system-info", "").strip()
    compared = machine.compare_features(system_info, machine.features())
    if compared["missing"]:
        raise BuildError(
            "llama.cpp was built for %s, which this processor does not have; build it on this machine, or with flags "
            "for this processor" % ", ".join(compared["missing"])
        )
    return with_id(
        {
            "name": name,
            "source": source,
            "way": configuration["way"],
            "core": configuration.get("core"),
            "compiler": tools["compiler"],
            "cmake": tools["cmake"],
            "cmake_arguments": configuration["arguments"],
            "compile_flags": flags,
            "march": march,
            "warnings": configuration.get("warnings") or [],
            "system_info": system_info,
            "cpu_features": machine.used_features(system_info),
            "cpu_features_unused": compared["unused"],
            "file_types": sorted(listed(printed.get("llama-quantize", ""))),
            "binaries": {target: sha256_file(os.path.join(directory, "bin", target)) for target in sorted(targets)},
            **_known(directory, printed),
            **_origin(configuration),
        }
    )


def _origin(configuration: Dict[str, Any]) -> Dict[str, Any]:
    return {name: configuration[name] for name in _ORIGIN if configuration.get(name)}


def with_origin(build: Dict[str, Any], configuration: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """Return the payload of a finished build with whose code it is, itself where it says so already."""
    said = _origin(configuration or {})
    if all(build.get(name) == value for name, value in said.items()):
        return build
    return with_id(dict(build, **said))


def _known(directory: str, printed: Dict[str, str]) -> Dict[str, Any]:
    """Return what of a build record its programs say of themselves: {"options", "version", "build_number"}."""
    options = capabilities.options_of(printed)
    said = capabilities.Version(None, None)
    for target in (target for target, names in options.items() if "--version" in names):
        done = _run(directory, target, "--version")
        said = capabilities.parse_version(done.stdout + done.stderr)
        if said != capabilities.Version(None, None):
            break
    return {"options": options, "version": said.version, "build_number": said.number}


def with_capabilities(directory: str, build: Dict[str, Any], printed: Dict[str, str]) -> Dict[str, Any]:
    """Return the payload of a finished build with what its programs know; itself where it holds that already.

    `printed` is what run_programs returned. A build of another version of this collection may have none of it.
    """
    held = build.get("options")
    if isinstance(held, dict) and all(name in held for name in capabilities.options_of(printed)):
        return build
    return with_id(dict(build, **_known(directory, printed)))


def write_stamp(directory: str, build: Dict[str, Any]) -> None:
    """Declare a build finished: written last and at once, so that half a build is never taken for a whole one."""
    temporary = os.path.join(directory, "%s.%d.new" % (_STAMP, os.getpid()))
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(canonical(build) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, os.path.join(directory, _STAMP))


def read_stamp(directory: str, name: str, targets: List[str]) -> Optional[Dict[str, Any]]:
    """Return the build record of a finished build under today's `name`, None when there is none.

    A program that was changed or removed since counts as no build.
    """
    try:
        with open(os.path.join(directory, _STAMP), encoding="utf-8") as file:
            build = json_text.loads(file.read())
        for target in targets:
            if sha256_file(os.path.join(directory, "bin", target)) != build["binaries"][target]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return with_id(dict(build, name=name))


def vocabulary(directory: str) -> str:
    """Return where a build keeps the Llama 3 vocabulary of its source tree, from which models are generated."""
    return os.path.join(directory, _VOCABULARY)
