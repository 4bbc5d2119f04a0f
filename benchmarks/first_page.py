# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a newcomer waits: from a fresh clone to the first page, and again with nothing changed.

Clones the committed state into an empty folder, gives it an empty home (no pip cache, no ccache, no sources, no
models) and runs `make bench` twice. Packages of the system that are installed already stay installed.
Targets on 2 cores: the first page within 15 minutes; the second run at most 30 s outside its launches.

    python3 benchmarks/first_page.py
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import needs

ROOT = Path(__file__).resolve().parent.parent
FIRST_S, OUTSIDE_S = 15 * 60.0, 30.0
# The home with .venv, sources, builds and the model.
DISK_GB = 6


def bench(clone: Path, home: Path, results: Path) -> tuple[float, float]:
    """Run `make bench`; return its wall seconds and those of the launches in it. Fails when no page came of it."""
    environment = {**os.environ, "HOME": str(home), "CLOUDBENCH_RESULTS_DIR": str(results)}
    for name in ("XDG_CACHE_HOME", "CCACHE_DIR", "PIP_CACHE_DIR", "CLOUDBENCH_RUN"):
        environment.pop(name, None)
    started = time.monotonic()
    subprocess.run(["make", "bench"], cwd=clone, env=environment, check=True, stdin=subprocess.DEVNULL)
    wall = time.monotonic() - started
    if not list(results.glob("*/*/*.md")):
        raise SystemExit("make bench wrote no page")
    lines = [line for path in results.glob("*/records/*.jsonl") for line in path.read_text().splitlines()]
    launches = [record["payload"] for record in map(json.loads, lines) if record["kind"] == "launch"]
    return wall, sum(record["metrics"]["wall_s"]["value"] for record in launches)


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    needs.meet(
        needs.program("git", remedy="sudo apt-get install git"),
        needs.program("make", remedy="sudo apt-get install make"),
        None if find_spec("ensurepip") else f"{sys.executable} has no ensurepip: sudo apt-get install python3-venv",
        needs.disk(Path(tempfile.gettempdir()), DISK_GB),
    )
    with tempfile.TemporaryDirectory(prefix="first-page-") as scratch:
        clone, home = Path(scratch, "clone"), Path(scratch, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        first, first_inside = bench(clone, home, Path(scratch, "results-1"))
        second, second_inside = bench(clone, home, Path(scratch, "results-2"))
    print("\n| run | total s | launches s | outside the launches s |")
    print("|:--|--:|--:|--:|")
    print(f"| fresh clone | {first:.0f} | {first_inside:.0f} | {first - first_inside:.0f} |")
    print(f"| nothing changed | {second:.0f} | {second_inside:.0f} | {second - second_inside:.0f} |")
    met = first <= FIRST_S and second - second_inside <= OUTSIDE_S
    verdict = "met" if met else "MISSED"
    print(f"\nTargets: {FIRST_S:g} s to the first page, {OUTSIDE_S:g} s outside the launches: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
