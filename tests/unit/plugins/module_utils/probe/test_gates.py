# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.module_utils.probe.gates import (
    MET_ALIKE,
    Snapshot,
    exceeded,
    gates,
    snapshot,
    validity,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage

USAGE = Usage(10.0, 15.0, 1.0, 0, 0, 0, 0, 0)
BEFORE = Snapshot(busy_s=100.0, steal_s=1.0, total_s=1000.0, swap_in_pages=5, pressure_some_us=0)


def after(**changes):
    return BEFORE._replace(**dict(busy_s=116.2, total_s=1020.0, pressure_some_us=100000, **changes))


def test_shares_are_of_the_whole_machine():
    found = gates(BEFORE, after(steal_s=1.01), USAGE)
    assert found == {
        "steal_percent": 0.05,
        "other_cpu_percent": 1.0,
        "pressure_some_percent": 1.0,
        "swap_in_pages": 0,
        "major_faults": 0,
        "threads_ran": None,
    }
    assert validity(found) == {"state": "VALID", "reasons": []}


def test_each_gate_spoils_a_launch_and_says_why():
    found = gates(BEFORE, after(steal_s=2.0)._replace(busy_s=126.0, swap_in_pages=6), USAGE._replace(major_faults=3000))
    stamp = validity(found)
    assert stamp["state"] == "INVALID"
    assert [reason.split(" = ")[0] for reason in stamp["reasons"]] == [
        "steal_percent", "other_cpu_percent", "swap_in_pages", "major_faults",
    ]  # fmt: skip


def test_what_the_kernel_does_not_tell_is_none_and_spoils_nothing(tmp_path):
    nothing = snapshot(str(tmp_path))
    assert set(nothing._replace(time_s=None)) == {None}
    found = gates(nothing, nothing, USAGE)
    assert found["steal_percent"] is None
    assert validity(found)["state"] == "VALID"


def test_the_real_counters_grow():
    now = snapshot()
    assert now.total_s > now.busy_s > 0


def test_pressure_is_of_the_time_between_the_snapshots():
    """The sampler starts before a launch and ends after it: what pressed then is in the counter as well."""
    after = BEFORE._replace(pressure_some_us=2_000_000, time_s=14.0)
    found = gates(BEFORE._replace(time_s=10.0), after, Usage(1.5, 1.0, 0.1, 1, 0, 0, 0, 0))
    assert found["pressure_some_percent"] == 50.0


def test_in_a_duet_others_spoil_nothing_and_faults_do():
    found = gates(BEFORE, after(steal_s=2.0)._replace(busy_s=126.0), USAGE)
    assert list(exceeded(found)) == ["steal_percent", "other_cpu_percent"]
    assert validity(found, but=MET_ALIKE) == {"state": "VALID", "reasons": []}
    assert validity(dict(found, major_faults=99, threads_ran=1), 2, but=MET_ALIKE)["reasons"] == [
        "major_faults = 99, above 50: weights were read from disk during the launch", "2 threads asked, 1 ran",
    ]  # fmt: skip


def test_counters_that_no_kernel_has_are_not_read(tmp_path):
    (tmp_path / "pressure").mkdir()
    (tmp_path / "stat").write_text(f"cpu  1 2 3 4 5 6 7 {'9' * 5000}\n")
    (tmp_path / "vmstat").write_text(f"pswpin {'9' * 400}\n")
    (tmp_path / "pressure" / "cpu").write_text("some avg10=0.00 total=²\n", "utf-8")
    assert snapshot(str(tmp_path))[:5] == (None, None, None, None, None)
