# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job in the background tells how far its file is, and ends when nobody looks any more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import draft
from ansible_collections.cloudbench.llama.plugins.module_utils.system import watch

# Makes a file of 100 bytes in the directory it is given, ten at a time, and never ends by itself.
WRITER = """
import subprocess, sys, time
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import draft
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process, watch
directory, patience = sys.argv[1], float(sys.argv[2])
with watch.told(directory + "/.watch-1", patience), draft(directory + "/m.gguf", 100) as path:
    with open(path, "wb") as file:
        file.write(b"x" * 40)
    process.run(["sleep", "60"], 60)
"""


@pytest.fixture
def writer(tmp_path: Path):
    begun: list[subprocess.Popen[bytes]] = []

    def begin(patience: float) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        argv = [sys.executable, "-c", WRITER, str(tmp_path), str(patience)]
        begun.append(subprocess.Popen(argv, env=environment))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def progress(directory: Path) -> dict[str, object]:
    path = directory / ".watch-1.progress.json"
    for _look in range(200):
        if path.exists():
            return dict(json.loads(path.read_text()))
        time.sleep(0.1)
    raise AssertionError("nothing was written")


def test_how_far_the_file_is_stands_beside_it(writer, tmp_path):
    running = writer(0)
    state = progress(tmp_path)
    assert (state["what"], state["of"], state["pid"]) == ("writing m.gguf", 100, running.pid)
    assert state["done"] in (0, 40)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 1
    # Neither what it had begun nor the files by which it was looked at stay.
    assert os.listdir(tmp_path) == []


def test_it_ends_with_what_it_runs_when_nobody_looks(writer, tmp_path):
    running = writer(1.5)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    progress(tmp_path)
    child = children.read_text().split()[0]
    assert running.wait(20) == 1
    assert not Path("/proc", child).exists()
    assert os.listdir(tmp_path) == []


def test_the_time_left_is_by_the_pace_of_this_run(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 60)
    begun = watch.Growth("downloading f", str(path), lambda: 100, time.monotonic() - 10, 20)
    # 40 bytes came in 10 s, 40 are left.
    assert begun.state()["left_s"] == pytest.approx(10, rel=0.01)
    assert begun._replace(of=lambda: None).state()["left_s"] is None
    assert begun._replace(had=60).state()["left_s"] is None
    assert begun._replace(began=time.monotonic()).state()["left_s"] is None
    assert begun._replace(path=str(tmp_path / "none")).state()["done"] == 0


def test_nobody_asks_and_nothing_is_written(tmp_path):
    with watch.told("", 5), draft(str(tmp_path / "m"), 10) as path:
        Path(path).write_bytes(b"x")
    assert os.listdir(tmp_path) == ["m"]
