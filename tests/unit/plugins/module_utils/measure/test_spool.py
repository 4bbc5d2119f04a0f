# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.measure import spool
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.spool import Spool, SpoolError, machine_lock

RUN = "20261123T155523Z-1a2b"

# Takes the lock, leaves a child behind as a runner with a launch in flight would, and says so.
HOLDER = (
    "import subprocess, sys, time; sys.path[:0] = %r\n"
    "from ansible_collections.cloudbench.llama.plugins.module_utils.measure.spool import machine_lock\n"
    "with machine_lock(sys.argv[1]):\n"
    "    print(subprocess.Popen(['sleep', '60']).pid, flush=True)\n"
    "    time.sleep(60)\n"
)


def test_one_measurement_at_a_time_and_none_after_death(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER % sys.path, str(tmp_path)], stdout=subprocess.PIPE, encoding="ascii"
    )
    child = int(holder.stdout.readline())
    try:
        refused = pytest.raises(SpoolError, match=rf"\(process {holder.pid}\); wait for it to end")
        with refused, machine_lock(str(tmp_path)):
            pytest.fail("two measurements at once")
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        with machine_lock(str(tmp_path)):
            pass
    finally:
        holder.kill()
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_the_lock_is_let_go_when_a_run_ends_badly(tmp_path):
    with pytest.raises(KeyError), machine_lock(str(tmp_path)):
        raise KeyError("anything")
    with machine_lock(str(tmp_path)):
        pass


def test_a_record_is_on_the_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []

    def fsync(descriptor):
        state = os.fstat(descriptor)
        assert stat.S_ISREG(state.st_mode)
        synced.append(state.st_size)

    monkeypatch.setattr(spool.os, "fsync", fsync)
    own = Spool(str(tmp_path), RUN)
    sizes = []
    for record in ({"b": 1, "a": "\n\u2028\u00e4"}, {"n": 2}):
        own.append(record)
        sizes.append((tmp_path / f"{RUN}.jsonl").stat().st_size)
    assert synced == sizes
    assert own.records() == [{"b": 1, "a": "\n\u2028\u00e4"}, {"n": 2}]
    assert (tmp_path / f"{RUN}.jsonl").read_bytes().count(b"\n") == 2


def test_an_earlier_try_is_kept_and_its_half_line_spoils_nothing(tmp_path):
    first = Spool(str(tmp_path / "new"), RUN)
    assert first.records() == []
    first.append({"n": 1})
    with open(first.records_path, "a", encoding="utf-8") as file:
        file.write('{"n": 2, "metr')
    second = Spool(str(tmp_path / "new"), RUN)
    second.open()
    assert second.records() == [{"n": 1}]
    second.append({"n": 3})
    assert second.records() == [{"n": 1}, {"n": 3}]


def test_progress_is_replaced_as_a_whole(tmp_path):
    own = Spool(str(tmp_path), RUN)
    own.progress({"done": 1, "text": "long " * 100})
    own.progress({"done": 2})
    assert (tmp_path / f"{RUN}.progress.json").read_text() == '{"done": 2}'
    assert [path.name for path in tmp_path.iterdir()] == [f"{RUN}.progress.json"]


@pytest.mark.parametrize(
    "run", ["", ".", "..", "../x", "a/b", "/etc/passwd", "x\0y", "x y", "x\n", "-rf", "a" * 65, "$(id)", "r\u00f6"]
)
def test_a_hostile_run_id_makes_no_file(tmp_path, run):
    with pytest.raises(SpoolError, match=r"the run id .* is not"):
        Spool(str(tmp_path / "spool"), run)
    assert list(tmp_path.iterdir()) == []


def test_a_new_try_does_not_show_the_progress_of_the_last(tmp_path):
    own = Spool(str(tmp_path), RUN)
    own.progress({"finished": True})
    own.append({"n": 1})
    own.open()
    assert not os.path.exists(own.progress_path)
    assert own.records() == [{"n": 1}]


def test_lines_that_are_no_records_are_passed_over(tmp_path):
    made = Spool(str(tmp_path), RUN)
    lines = ['{"n": 1}', "12", "[]", "[" * 100_000, '{"n": NaN}', "9" * 5000, '{"n": 2}', '{"half']
    (tmp_path / f"{RUN}.jsonl").write_text("\n".join(lines))
    assert made.records() == [{"n": 1}, {"n": 2}]
    (tmp_path / f"{RUN}.progress.json").write_text("[" * 100_000)
    assert made.runner() is None
