# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An append costs the same however long the file is, and loses, repeats and mixes nothing, whoever else appends."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.callback.bench_report import CallbackModule
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import journal, records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.journal import Journals


class Counting(FileIO):
    """Counts what is read of all files."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size) or b""
        Counting.total += len(piece)
        return piece


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(journal, "FileIO", Counting)
    Counting.total = 0
    return Counting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines"


def filled(path: Path, lines: int) -> bytes:
    content = b"".join(b"%d %s\n" % (number, b"x" * 90) for number in range(lines))
    path.write_bytes(content)
    return content


def test_a_file_is_read_once_and_then_what_others_add(path: Path, count: type[Counting]) -> None:
    content = filled(path, 2000)
    journals = Journals()
    assert journals.append(path, [b"first"]) == 1
    assert count.total == len(content)
    for number in range(50):
        assert journals.append(path, [b"next %d" % number, b"first", b"7 " + b"x" * 90]) == 1
    assert count.total == len(content)
    with path.open("ab") as other:
        other.write(b"of another\n")
    assert journals.append(path, [b"of another", b"last"]) == 1
    assert count.total == len(content) + len(b"of another\n")
    assert path.read_bytes().splitlines()[-2:] == [b"of another", b"last"]


def test_a_file_that_was_replaced_is_read_again(path: Path) -> None:
    filled(path, 20)
    journals = Journals()
    journals.append(path, [b"kept"])
    size = path.stat().st_size
    other = path.with_name("other")
    other.write_bytes(b"y" * (size + 99) + b"\n")
    other.replace(path)
    assert journals.append(path, [b"kept"]) == 1
    assert path.read_bytes() == b"y" * (size + 99) + b"\nkept\n"


@pytest.mark.parametrize("length", [-10, 0, 10])
def test_a_file_that_was_rewritten_in_place_is_read_again(path: Path, length: int) -> None:
    filled(path, 20)
    journals = Journals()
    journals.append(path, [b"kept"])
    status = path.stat()
    content = b"z" * (status.st_size + length - 1) + b"\n"
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert path.stat().st_ino == status.st_ino
    assert journals.append(path, [b"kept"]) == 1
    assert path.read_bytes() == content + b"kept\n"


def test_a_file_that_was_removed_begins_anew(path: Path) -> None:
    journals = Journals()
    journals.append(path, [b"kept"])
    path.unlink()
    assert journals.append(path, [b"kept"]) == 1
    assert path.read_bytes() == b"kept\n"


def test_a_half_line_stays_on_a_line_of_its_own(path: Path, count: type[Counting]) -> None:
    journals = Journals()
    journals.append(path, [b"one"])
    for half in (b"two", b"tw", b"o"):
        with path.open("ab") as writer_that_died:
            writer_that_died.write(half)
        journals.append(path, [b"three " + half])
    assert path.read_bytes() == b"one\ntwo\nthree two\ntw\nthree tw\no\nthree o\n"
    # A line that lacks nothing but its end is there, and what follows it is told from it.
    with path.open("ab") as writer_that_died:
        writer_that_died.write(b"whole")
    assert journals.append(path, [b"whole"]) == 0
    assert Journals().append(path, [b"whole"]) == 0
    assert journals.append(path, [b"four", b"whole"]) == 1
    assert path.read_bytes().endswith(b"\nwhole\nfour\n")
    assert Journals().append(path, path.read_bytes().splitlines()) == 0


def test_lines_longer_than_a_piece_are_known(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_PIECE", 7)
    filled(path, 20)
    assert Journals().append(path, path.read_bytes().splitlines()) == 0
    assert Journals().append(path, [b"7 ", b"x" * 90]) == 2


def test_what_is_remembered_has_a_bound(tmp_path: Path, count: type[Counting]) -> None:
    journals = Journals(most_lines=10)
    for name in ("a", "b", "c"):
        journals.append(tmp_path / name, [b"%d" % number for number in range(5)])
    assert count.total == 0
    journals.append(tmp_path / "c", [b"1"])
    journals.append(tmp_path / "b", [b"1"])
    assert count.total == 0
    assert journals.append(tmp_path / "a", [b"1"]) == 0
    assert count.total == (tmp_path / "a").stat().st_size
    assert sum(len(known.lines) for known in journals._known.values()) <= 10


FULL = """
import resource, signal, sys
from pathlib import Path
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.journal import Journals
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, journals = Path(sys.argv[1]), Journals()
journals.append(path, [b"one"])
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
for line in (b"x" * 50, b"y" * 50):
    try:
        journals.append(path, [line])
    except OSError as error:
        print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(journals.append(path, [b"one", b"x" * 50]))
"""


def environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(filter(None, sys.path))}


def test_a_disk_that_is_full_leaves_the_file_as_it_was(path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], env=environment(), capture_output=True, text=True, check=True
    ).stdout
    assert said == "no space for 51 bytes\nno space for 51 bytes\n1\n"
    assert path.read_bytes() == b"one\n" + b"x" * 50 + b"\n"


MANY = """
import random, sys
from pathlib import Path
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.journal import Journals
path, number = Path(sys.argv[1]), int(sys.argv[2])
journals, draw = Journals(), random.Random(number)
for step in range(300):
    journals.append(path, [b"shared %d" % draw.randrange(100), b"%d own %d" % (number, step)])
"""


def test_writers_that_remember_repeat_nothing_that_another_wrote(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", MANY, str(path), str(number)], env=environment()) for number in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    lines = path.read_bytes().splitlines()
    assert len(lines) == len(set(lines))
    wanted = {b"%d own %d" % (number, step) for number in range(3) for step in range(300)}
    assert {line for line in lines if b"own" in line} == wanted
    assert len({line for line in lines if b"shared" in line}) == 100


def test_a_writer_that_is_killed_costs_at_most_its_last_line(path: Path) -> None:
    draw = random.Random(1)
    for number in range(4):
        with subprocess.Popen([sys.executable, "-c", MANY, str(path), str(number)], env=environment()) as writer:
            try:
                writer.wait(0.2 + draw.random() / 5)
            except subprocess.TimeoutExpired:
                writer.send_signal(signal.SIGKILL)
    journals = Journals()
    for number in range(4):
        journals.append(path, [b"%d own %d" % (number, step) for step in range(300)])
    lines = path.read_bytes().splitlines()
    assert len(lines) == len(set(lines))
    assert sum(b"own" in line for line in lines) == 4 * 300


def test_whoever_keeps_a_file_locked_keeps_nobody_waiting_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may read a file can lock it."""
    journals = Journals()
    journals.append(path, [b"one"])
    monkeypatch.setattr(journal, "LOCK_S", 0.2)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        with pytest.raises(OSError, match=r"another process has it locked, and kept it so for 0\.2 s"):
            journals.append(path, [b"two"])
    assert journals.append(path, [b"two"]) == 1
    assert path.read_bytes() == b"one\ntwo\n"


def test_the_writer_of_records_reads_a_store_once(
    store: Path, frozen: list[dict[str, object]], count: type[Counting]
) -> None:
    writer = records.Writer(store)
    assert writer.append(frozen).written == 0
    once = count.total
    assert once == sum(path.stat().st_size for path in store.rglob("*.jsonl"))
    for record in frozen:
        assert writer.append([record]).written == 0
    assert count.total == once


def test_the_callback_reads_a_store_once(
    store: Path, frozen: list[dict[str, object]], count: type[Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = CallbackModule()
    monkeypatch.setattr(callback, "get_option", {"results_dir": str(store)}.get)
    monkeypatch.setattr(callback, "_begin", lambda: None)
    monkeypatch.setenv("CLOUDBENCH_RESULTS_DIR", "")
    monkeypatch.setattr("ansible.plugins.callback.CallbackBase.set_options", lambda *_given, **_options: None)
    callback.set_options()
    callback._keep(frozen)
    once = count.total
    assert once == sum(path.stat().st_size for path in store.rglob("*.jsonl"))
    for record in frozen:
        callback._keep([record])
    assert count.total == once
