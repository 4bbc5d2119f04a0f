# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to generate a model: CPU time and peak memory of a fresh process, against the targets.

    python benchmarks/generate_model.py --vocabulary llama.cpp/models/ggml-vocab-llama-bpe.gguf

The files are written, synced and verified as the role does it, and removed. Needs 5 GB of disk. Leaves with 1 when a
target is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import needs

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import preset  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.models.synthetic import generate, plan  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import run  # noqa: E402

MEMORY_LIMIT = 100e6  # bytes
TIME_LIMIT = 600  # seconds
DISK_GB = 5
VOCABULARY = "`make bench` leaves it in ~/.cache/cloudbench/llama.cpp/build-*/ggml-vocab-llama-bpe.gguf"


class Target(NamedTuple):
    """A model and the CPU seconds (user and system) that it may cost."""

    model: str
    quantization: str
    cpu_s: float


TARGETS = (
    Target("llama-3.2-1b-synthetic", "Q4_0", 5.0),
    Target("llama-3.1-8b-synthetic", "Q4_0", 20.0),
)


def measure(target: Target, vocabulary: str, directory: str) -> tuple[str, bool]:
    """Return the row of the table, and whether the target was met."""
    path = os.path.join(directory, target.model + ".gguf")
    child = [sys.executable, __file__, "--vocabulary", vocabulary, "--child", target.model, target.quantization, path]
    ended = run(child, TIME_LIMIT)
    if ended.exit_code != 0:
        sys.exit(f"{target.model}: {ended.stderr.strip() or ended}")
    size = os.path.getsize(path)
    os.unlink(path)
    used = ended.usage
    cpu = used.cpu_user_s + used.cpu_system_s
    met = cpu <= target.cpu_s and used.rss_peak_bytes <= MEMORY_LIMIT
    row = (
        f"| {target.model} | {target.quantization} | {size / 1e9:.2f} | {cpu:.1f} | {target.cpu_s:.0f} "
        f"| {used.wall_s:.1f} | {used.rss_peak_bytes / 1e6:.0f} | {MEMORY_LIMIT / 1e6:.0f} "
        f"| {'yes' if met else '**no**'} |"
    )
    return row, met


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vocabulary", required=True, help="models/ggml-vocab-llama-bpe.gguf of llama.cpp")
    parser.add_argument("--directory", help="where to write; default: a temporary directory")
    parser.add_argument("--child", nargs=3, metavar=("MODEL", "QUANTIZATION", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        model, quantization, path = arguments.child
        generate(plan(preset(model), quantization, 1, arguments.vocabulary), path)
        return
    needs.meet(
        needs.file(Path(arguments.vocabulary), VOCABULARY),
        needs.disk(Path(arguments.directory or tempfile.gettempdir()), DISK_GB),
    )
    print("| model | type | GB | CPU s | target | wall s | peak MB | target | met |")
    print("|---|---|---|---|---|---|---|---|---|")
    every = True
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        for target in TARGETS:
            row, met = measure(target, os.path.abspath(arguments.vocabulary), directory)
            print(row, flush=True)
            every = every and met
    sys.exit(0 if every else 1)


if __name__ == "__main__":
    main()
