# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from decimal import Decimal

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.fleet import DONE, FAILED, Fleet


def test_hosts_are_counted_and_the_slowest_says_how_long_it_takes():
    fleet = Fleet()
    for name in ("a", "b", "c", "d"):
        fleet.begin(name)
    assert fleet.line(0.0) == "4 hosts: 0 done, 4 running, 0 failed"
    fleet.progress("a", 30.0, 10.0)
    fleet.progress("b", 300.0, 10.0)
    assert fleet.line(10.0) == "4 hosts: 0 done, 4 running, 0 failed; about 5 min left or more"
    fleet.end("c", failed=False)
    fleet.end("d", failed=True)
    # Time goes on between two looks.
    assert fleet.line(70.0) == "4 hosts: 1 done, 2 running, 1 failed; about 4 min left"
    assert fleet.line(1000.0).endswith("about 0 s left")


def test_dollars_are_told_where_all_prices_and_times_are_known():
    fleet = Fleet()
    fleet.begin("a", Decimal("2.4"))
    fleet.begin("b", Decimal("1.2"))
    fleet.progress("a", 1800.0, 0.0)
    assert "USD" not in fleet.line(0.0)
    fleet.progress("b", 3600.0, 0.0)
    assert fleet.line(0.0).endswith("about 1 h left; about 2.40 USD left")
    fleet.end("b", failed=False)
    assert fleet.line(900.0).endswith("about 15 min left; about 0.60 USD left")
    fleet.begin("c", None)
    fleet.progress("c", 10.0, 900.0)
    assert "USD" not in fleet.line(900.0)


def test_what_a_host_came_to_stays():
    fleet = Fleet()
    fleet.begin("a")
    fleet.end("a", failed=True)
    fleet.end("a", failed=False)
    fleet.progress("a", 60.0, 0.0)
    fleet.end("stranger", failed=False)
    fleet.progress("stranger", 1.0, 0.0)
    assert (fleet.count(FAILED), fleet.count(DONE), len(fleet.hosts)) == (1, 0, 1)
    assert fleet.line(0.0) == "1 host: 0 done, 0 running, 1 failed"


def test_a_host_without_anything_to_measure_is_none():
    fleet = Fleet()
    fleet.begin("a")
    fleet.begin("controller")
    fleet.drop("controller")
    fleet.drop("stranger")
    assert fleet.line(0.0) == "1 host: 0 done, 1 running, 0 failed"
