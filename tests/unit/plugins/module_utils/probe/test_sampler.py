# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sampler reads what there is, and never breaks on what there is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import sampler
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.sampler import Sampler, peaks


def stat(*cores: str, ctxt: str = "ctxt 1000", total: str = "cpu  0 0 0 0 0 0 0 0 0 0") -> str:
    return "\n".join([total, *cores, "intr 5 6 7", ctxt, "btime 1"]) + "\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "status").write_text("Name:\tx\nVmRSS:\t  300 kB\nRssAnon:\t 100 kB\nRssFile:\t 200 kB\n")
    (tmp_path / "stat").write_text(stat("cpu0 0 0 0 0 0 0 0 0 0 0", "cpu1 0 0 0 0 0 0 0 0 0 0"))
    return tmp_path


def taken(proc: Path, after: str) -> dict:
    """Return the series of a launch between whose first and last sample /proc/stat became `after`."""
    with Sampler(60, str(proc), str(proc)) as one:
        one.watch(42)
        (proc / "stat").write_text(after)
    return one.series()


def test_shares_are_those_between_two_samples(proc):
    total = "cpu  30 10 15 40 10 3 2 10 5 5"
    series = taken(
        proc, stat("cpu0 50 0 0 50 0 0 0 0 0 0", "cpu1 0 0 0 80 20 0 0 0 0 0", ctxt="ctxt 1500", total=total)
    )
    # Of 120 ticks; the first sample has nothing to be compared with.
    assert [series[name] for name in ("user", "system", "iowait", "steal", "idle")] == [
        [None, 33.3], [None, 16.7], [None, 8.3], [None, 8.3], [None, 33.3],
    ]  # fmt: skip
    assert series["cores"] == [[None, 50.0], [None, 0.0]]
    assert series["context_switches_per_s"][0] is None
    assert series["context_switches_per_s"][1] > 0
    assert series["mhz"] is None
    # Who is to be watched is known only after the first sample.
    assert series["rss_bytes"] == [None, 300 * 1024]
    assert peaks(series) == {
        "rss_anon_peak_bytes": {"value": 102400, "unit": "B"}, "rss_file_peak_bytes": {"value": 204800, "unit": "B"},
    }  # fmt: skip
    assert len(series["time_s"]) == 2
    assert series["interval_s"] == 60
    assert abs(series["start"] - time.time()) < 60


def test_frequencies_are_those_of_the_cores(proc):
    for core, khz in ((0, "2000000\n"), (1, "3000000\n")):
        directory = proc / f"devices/system/cpu/cpu{core}/cpufreq"
        directory.mkdir(parents=True)
        (directory / "scaling_cur_freq").write_text(khz)
    assert taken(proc, stat())["mhz"] == ([2500.0, 2500.0] if (os.cpu_count() or 1) > 1 else [2000.0, 2000.0])


@pytest.mark.parametrize(
    "after",
    [
        "",
        "cpu",
        "cpu  1 2 3\ncpu0 x y\nctxt\n",
        "gVisor\n",
        stat(ctxt="ctxt many"),
        stat("cpu0 9 9 9 9 9 9 9 9"),
        "\0" * 9,
    ],
)
def test_what_a_container_hides_is_not_known(proc, after):
    series = taken(proc, after)
    lengths = {len(values) for values in series.values() if isinstance(values, list) and values is not series["cores"]}
    assert lengths == {2}
    assert {len(core) for core in series["cores"]} == {2}
    assert series["user"] is None


def test_without_proc_there_is_only_time(tmp_path):
    with Sampler(60, str(tmp_path / "none"), str(tmp_path)) as one:
        one.watch(42)
    series = one.series()
    assert len(series["time_s"]) == 2
    assert [name for name, value in series.items() if value] == ["start", "interval_s", "time_s"]
    assert peaks(series) == {}


def test_a_process_that_is_gone_has_no_memory(proc):
    (proc / "42" / "status").unlink()
    assert taken(proc, stat())["rss_bytes"] is None


def test_this_machine():
    child = [sys.executable, "-c", "x = bytearray(50 << 20); import time; time.sleep(0.5); x"]
    with Sampler(0.05) as one, subprocess.Popen(child) as process:
        one.watch(process.pid)
    series = one.series()
    assert len(series["time_s"]) >= 5
    assert series["time_s"] == sorted(series["time_s"])
    assert max(size for size in series["anon_bytes"] if size) > 50 << 20
    shares = [sum(parts) for parts in zip(*(series[name] for name in ("user", "system", "iowait", "steal", "idle")),
              strict=True) if None not in parts]  # fmt: skip
    assert all(99 < total < 101 for total in shares)
    assert len(series["cores"]) >= len(os.sched_getaffinity(0))


def test_a_long_launch_is_not_sampled_for_ever(proc, monkeypatch):
    monkeypatch.setattr(sampler, "MOST_SAMPLES", 3)
    with Sampler(0.001, str(proc), str(proc)) as one:
        time.sleep(0.1)
    assert len(one.series()["time_s"]) == 4
