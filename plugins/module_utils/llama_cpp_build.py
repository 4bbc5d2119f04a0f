# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build of llama.cpp on this machine: what it depends on, whether it is there, and what it turned out to be."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
from typing import Any, Dict, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils import machine, process
from ansible_collections.cloudbench.llama.plugins.module_utils.digests import sha256_file
from ansible_collections.cloudbench.llama.plugins.module_utils.record import canonical, digest, with_id

# Programs a build cannot do without: purpose -> names, the first that is found is used.
REQUIRED = {"C compiler": ("cc", "gcc", "clang"), "C++ compiler": ("c++", "g++", "clang++"), "CMake": ("cmake",),
            "Ninja": ("ninja", "ninja-build")}  # fmt: skip
# Programs a build is faster with.
OPTIONAL = {"ccache": ("ccache",)}

# Changed when a build directory of an earlier version of this collection must not be used any more.
_LAYOUT = 1
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


def toolchain() -> Dict[str, Any]:
    """Return {"paths": {purpose: path or None}, "missing", "helpful", "compiler", "cmake", "march"}.

    `missing`: purposes without which there is no build; `helpful`: those that are absent and only make it faster.
    `compiler` is the first line of the C++ compiler's --version. `march` is what -march=native means to it here.
    """
    paths: Dict[str, Optional[str]] = {}
    for purpose, names in list(REQUIRED.items()) + list(OPTIONAL.items()):
        paths[purpose] = next((path for path in map(shutil.which, names) if path), None)
    compiler, cmake = paths["C++ compiler"], paths["CMake"]
    return {
        "paths": paths,
        "missing": [purpose for purpose in REQUIRED if not paths[purpose]],
        "helpful": [purpose for purpose in OPTIONAL if not paths[purpose]],
        "compiler": _output([compiler, "--version"]).partition("\n")[0] if compiler else None,
        "cmake": _output([cmake, "--version"]).partition("\n")[0].replace("cmake version ", "") if cmake else None,
        "march": native_march(compiler) if compiler else None,
    }


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


def build_key(source: Dict[str, Any], cmake_arguments: List[str], targets: List[str], tools: Dict[str, Any]) -> str:
    """Return the name of the directory of this build: equal exactly when a rebuild would give the same programs."""
    return digest(
        {
            "layout": _LAYOUT,
            "source": source.get("sha256") or source.get("commit"),
            "cmake_arguments": cmake_arguments,
            "targets": sorted(targets),
            "compiler": tools["compiler"],
            "march": tools["march"],
            "cpu_features": machine.features(),
        }
    )


def compile_flags(directory: str) -> List[str]:
    """Return the -m and -O flags with which the processor kernels were really compiled (compile_commands.json)."""
    try:
        with open(os.path.join(directory, "compile_commands.json"), encoding="utf-8") as file:
            commands = json.load(file)
    except (OSError, ValueError):
        return []
    for name in ("/ggml-cpu.c", "/ggml.c"):
        for command in commands:
            if command.get("file", "").endswith(name):
                words = shlex.split(command.get("command", ""))
                return [word for word in words if re.match(r"-(m|O)", word)]
    return []


def run_programs(directory: str, targets: List[str]) -> str:
    """Run every program of a build once and return the system info line of llama.cpp. Raises BuildError.

    A binary that was built for another processor dies here, of an illegal instruction, and not while measuring. The
    line is empty when llama-system-info is not among the targets.
    """
    system_info = ""
    for target in targets:
        path = os.path.join(directory, "bin", target)
        argv = [path] if target == "llama-system-info" else [path, "--help"]
        try:
            done = process.run(argv, _SECONDS)
        except OSError as error:
            raise BuildError("%s cannot be run: %s; remove %s and build again" % (target, error, directory)) from error
        if done.timed_out:
            raise BuildError("%s hangs when it starts; remove %s and build again" % (target, directory))
        if done.signal == signal.SIGILL:
            raise BuildError(
                "%s dies of an illegal instruction (SIGILL): it was built for a processor with features that this one "
                "lacks; build it on this machine, or with flags for this processor" % target
            )
        if done.signal is not None:
            raise BuildError(
                "%s is ended by signal %d as soon as it starts; remove %s and build again"
                % (target, done.signal, directory)
            )
        # llama-quantize --help ends with 1. More than that is the loader's word, for instance on a missing library.
        code = done.exit_code or 0
        if code > (0 if target == "llama-system-info" else 1):
            words = done.stderr.strip().splitlines()[-1:]
            raise BuildError(
                "%s ends with exit code %d as soon as it starts: %s; remove %s and build again"
                % (target, code, (words or ["it said nothing"])[0], directory)
            )
        if target == "llama-system-info":
            system_info = done.stdout.strip()
    return system_info


def describe(
    directory: str,
    name: str,
    source: Dict[str, Any],
    cmake_arguments: List[str],
    targets: List[str],
    tools: Dict[str, Any],
) -> Dict[str, Any]:
    """Run a fresh build, compare it with this processor and return the payload of its record. Raises BuildError.

    The version is ours, from the source that was verified: the tool's own stamp names whatever git repository
    it happened to be built inside of.
    """
    system_info = run_programs(directory, targets)
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
            "compiler": tools["compiler"],
            "cmake": tools["cmake"],
            "cmake_arguments": cmake_arguments,
            "compile_flags": compile_flags(directory),
            "march": tools["march"],
            "system_info": system_info,
            "cpu_features": machine.used_features(system_info),
            "cpu_features_unused": compared["unused"],
            "binaries": {target: sha256_file(os.path.join(directory, "bin", target)) for target in sorted(targets)},
        }
    )


def write_stamp(directory: str, build: Dict[str, Any]) -> None:
    """Declare a build finished: written last and at once, so that half a build is never taken for a whole one."""
    temporary = os.path.join(directory, _STAMP + ".new")
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
            build = json.load(file)
        for target in targets:
            if sha256_file(os.path.join(directory, "bin", target)) != build["binaries"][target]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return with_id(dict(build, name=name))


def vocabulary(directory: str) -> str:
    """Return where a build keeps the Llama 3 vocabulary of its source tree, from which models are generated."""
    return os.path.join(directory, _VOCABULARY)
