# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of machines saves work and never shows: pages are those of the records, whatever lies in the cache."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import cache
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]
LATER = "20270101T000000Z-0000"


@pytest.fixture
def entries(tmp_path: Path, real: list[Record], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a store of three machines, after a first report."""
    monkeypatch.setattr(report, "MANY_MACHINES", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(3):
        records.append(tmp_path / "results", [{**record, "machine": f"box-{number}"} for record in real])
    report.render_store(tmp_path / "results")
    found = cache.directory(tmp_path / "results")
    assert found is not None
    assert sorted(path.name for path in found.iterdir()) == ["box-0", "box-1", "box-2"]
    return found


def pages_of_records(results: Path) -> report.Pages:
    """The pages without a cache."""
    read = records.read(results)
    return report.render(read.records, read.problems)


def parts_made(entries: Path, machines: int = 3) -> list[str]:
    """The machines of which a report would make more than it finds."""
    results = entries.parents[2].parent / "results"
    names = [f"box-{number}" for number in range(machines)]
    keys = {name: cache.key(results, name) for name in names}
    return [name for name, key in keys.items() if key is None or cache.load(entries, name, key) is None]


def test_only_the_machine_with_a_new_run_is_made_again(entries: Path, tmp_path: Path, real: list[Record]) -> None:
    results = tmp_path / "results"
    assert parts_made(entries) == []
    later = [{**copy.deepcopy(record), "machine": "box-1", "run": LATER} for record in real]
    records.append(results, later)
    assert parts_made(entries) == ["box-1"]
    pages, _problems = report.render_store(results)
    assert LATER in pages["box-1/README.md"]
    assert pages == pages_of_records(results)
    assert parts_made(entries) == []


def test_what_was_kept_is_what_is_shown(entries: Path, tmp_path: Path) -> None:
    """Else the tests here would pass without any cache."""
    results = tmp_path / "results"
    key = cache.key(results, "box-0")
    assert key is not None
    packed = cache.load(entries, "box-0", key)
    assert packed is not None
    part = cache.unpack(packed)
    part.pages["box-0/README.md"] = "kept"
    cache.save(entries, "box-0", key, cache.pack(part))
    assert report.render_store(results)[0]["box-0/README.md"] == "kept"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def turn_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, turn_a_bit, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_broken_entry_is_made_again(entries: Path, tmp_path: Path, harm: Callable[[Path], Any]) -> None:
    harm(entries / "box-2")
    assert parts_made(entries) == ["box-2"]
    assert report.render_store(tmp_path / "results")[0] == pages_of_records(tmp_path / "results")
    assert parts_made(entries) == []


def test_another_program_makes_every_machine_again(entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_program", lambda: b"another")
    assert parts_made(entries) == ["box-0", "box-1", "box-2"]


def test_a_machine_without_records_is_forgotten(entries: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "results" / "box-0" / "records").iterdir():
        path.unlink()
    (entries / ".left-by-a-kill").touch()
    pages, _problems = report.render_store(tmp_path / "results")
    assert "box-0/README.md" not in pages
    assert sorted(path.name for path in entries.iterdir()) == ["box-1", "box-2"]


def test_a_directory_that_others_may_write_to_is_not_read(entries: Path, tmp_path: Path) -> None:
    entries.chmod(0o777)
    assert cache.directory(tmp_path / "results") is None
    (entries / "box-0").write_bytes(b"evil")
    assert report.render_store(tmp_path / "results")[0] == pages_of_records(tmp_path / "results")
    assert (entries / "box-0").read_bytes() == b"evil"


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_directory_that_others_may_exchange_is_not_read(
    entries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """Whoever may write into a parent can move another directory to the place of ours: entries are pickles."""
    for folder in (entries.parent, entries.parents[1], tmp_path / "cache"):
        before = folder.stat().st_mode
        folder.chmod(mode)
        assert cache.directory(tmp_path / "results") is None
        # As in /tmp, where nobody moves what is another's.
        folder.chmod(mode | 0o1000)
        assert cache.directory(tmp_path / "results") == entries
        folder.chmod(before)
    # A link is followed once and for all.
    (tmp_path / "linked").symlink_to(tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "linked"))
    assert cache.directory(tmp_path / "results") == entries


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser gives files to others")
def test_a_directory_of_another_user_is_not_read(entries: Path, tmp_path: Path) -> None:
    os.chown(entries.parent, 65534, 65534)
    assert cache.directory(tmp_path / "results") is None


def test_a_cache_that_cannot_be_made_costs_nothing_but_time(
    entries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a-file"))
    assert cache.directory(tmp_path / "results") is None
    assert report.render_store(tmp_path / "results")[0] == pages_of_records(tmp_path / "results")
