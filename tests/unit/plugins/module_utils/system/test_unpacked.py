# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that was killed leaves nothing that the next one does not remove, and that one removes nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.system import unpacked

NAME = "ansible_cloudbench.llama.llama_bench_payload_"


def made(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    path.mkdir(parents=True)
    (path / "payload.zip").write_text("x")
    return path


def test_the_directory_is_that_of_the_archive():
    place = f"/tmp/{NAME}a1b2c3d4"
    archive = f"{place}/ansible_cloudbench.llama.llama_bench_payload.zip"
    assert unpacked.directory(["", archive, "/usr/lib/python3"]) == place
    assert unpacked.directory(["", "/usr/lib/python3.11", "relative/ansible_x_payload_y/a.zip"]) == ""
    assert unpacked.directory() == ""


def test_the_next_one_removes_what_the_one_before_left(tmp_path):
    first, second = made(tmp_path, f"{NAME}first123"), made(tmp_path, f"{NAME}second12")
    note = tmp_path / "run.payload"
    for _again in range(2):
        unpacked.take_over(str(note), str(first))
        assert first.exists()
    unpacked.take_over(str(note), str(second))
    assert (first.exists(), second.exists()) == (False, True)
    assert note.read_text() == f"{second}\n"


@pytest.mark.parametrize(
    "name", ["keep", f"elsewhere/{NAME}first123", f"{NAME}../keep", f"{NAME}first123/..", "ansible_x_payload_"]
)
def test_nothing_else_is_removed_whatever_a_note_says(name, tmp_path):
    made(tmp_path, "keep"), made(tmp_path, f"elsewhere/{NAME}first123"), made(tmp_path, f"{NAME}first123")
    here = made(tmp_path, f"{NAME}here1234")
    note = tmp_path / "run.payload"
    note.write_text(f"{tmp_path}/{name}\n")
    unpacked.take_over(str(note), str(here))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["elsewhere", "keep", "run.payload", f"{NAME}first123", f"{NAME}here1234"]
    )
    assert (tmp_path / "elsewhere" / f"{NAME}first123").exists()
    linked = tmp_path / f"{NAME}link1234"
    linked.symlink_to(tmp_path / "keep")
    note.write_text(f"{linked}\n")
    unpacked.take_over(str(note), str(here))
    assert (tmp_path / "keep" / "payload.zip").exists()


def test_no_note_is_written_where_nothing_was_unpacked(tmp_path):
    unpacked.take_over(str(tmp_path / "run.payload"), "")
    assert list(tmp_path.iterdir()) == []


MODULE = """\
import time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cloudbench.llama.plugins.module_utils.system import unpacked
module = AnsibleModule({"note": {"type": "path"}, "sleep": {"type": "float"}})
unpacked.take_over(module.params["note"], unpacked.directory())
time.sleep(module.params["sleep"])
module.exit_json(here=unpacked.directory())
"""


def test_ansible_unpacks_where_it_is_thought_to(tmp_path):
    """By a module of its own that is killed: this is what ansible-core does, and may do otherwise one day."""
    library, temporary, note = tmp_path / "library", tmp_path / "tmp", tmp_path / "note"
    library.mkdir(), temporary.mkdir()
    (library / "waits.py").write_text(MODULE)
    environment = {
        **os.environ, "TMPDIR": str(temporary), "ANSIBLE_LIBRARY": str(library),
        "ANSIBLE_REMOTE_TMP": str(tmp_path / "r"),
        "ANSIBLE_COLLECTIONS_PATH": str(Path(__file__).resolve().parents[5] / "collections"),
    }  # fmt: skip
    ansible = Path(sys.executable).with_name("ansible")

    def begin(seconds: float) -> subprocess.Popen[str]:
        words = json.dumps({"note": str(note), "sleep": seconds})
        return subprocess.Popen(
            [ansible, "localhost", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "-m", "waits",
             "-a", words],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=tmp_path,
        )  # fmt: skip

    running = begin(60)
    deadline = time.monotonic() + 60
    while not note.exists() or not note.read_text().strip():
        assert time.monotonic() < deadline
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    left = Path(note.read_text().strip())
    assert left.parent == temporary
    for path in Path("/proc").glob("[0-9]*"):
        try:
            killed = (
                b"waits" in (path / "cmdline").read_bytes()
                and str(temporary).encode() in (path / "environ").read_bytes()
            )
            if killed and int(path.name) != os.getpid():
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue
    running.communicate(timeout=60)
    assert left.exists()
    output, _errors = begin(0).communicate(timeout=60)
    assert not left.exists(), output
    assert list(temporary.glob("ansible_*_payload_*")) == []
