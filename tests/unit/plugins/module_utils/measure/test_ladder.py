# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many threads are tried, and which are best."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.ladder import Rung, advise, rungs


def machine(cpus: int, cores: int | None = None, nodes: int | None = 1) -> dict:
    return {"cpu_count": cpus, "physical_cores": cores, "numa_nodes": nodes}


@pytest.mark.parametrize(
    ("of", "counts"),
    [
        (machine(1, 1), [1]),
        (machine(2, 1), [1, 2]),
        (machine(6, 3), [1, 2, 3, 6]),
        # Both threads of six cores, of a machine of 32 processors.
        (machine(12, 6), [1, 2, 4, 6, 12]),
        (machine(8, None, None), [1, 2, 4, 8]),
        # An affinity mask may leave fewer processors than the machine has cores.
        (machine(2, 64), [1, 2]),
        (machine(64, 64), [1, 2, 4, 8, 16, 32, 48, 64]),
        (machine(96, 48), [1, 2, 4, 8, 16, 32, 48, 72, 96]),
    ],
)
def test_the_rungs_double_and_end_with_all(of, counts):
    assert [rung.threads for rung in rungs(of)] == counts
    assert not [rung for rung in rungs(of) if rung.numa]


def test_a_machine_of_several_nodes_has_a_rung_of_one_node():
    assert rungs(machine(192, 192, 2))[-1] == Rung(96, "isolate")
    assert Rung(96) in rungs(machine(128, 96, 1))


def ladder(**speeds: float) -> dict:
    """Return three launches of each rung, a little apart."""
    return {Rung(int(name[1:])): [speed * 0.999, speed, speed * 1.001] for name, speed in speeds.items()}


def test_the_fewest_threads_near_the_fastest_are_best():
    advice = advise(ladder(t1=10, t2=19, t4=29.8, t8=30.0))
    assert advice["best"] == 4
    assert "within 2 % of the fastest, 8 threads (30)" in advice["reason"]
    assert advice["collapse"] is None
    assert [(rung["threads"], rung["n"]) for rung in advice["ladder"]] == [(1, 3), (2, 3), (4, 3), (8, 3)]
    assert advice["ladder"][3]["low"] < 30.0 < advice["ladder"][3]["high"]


def test_a_collapse_of_all_cores_is_named():
    advice = advise(ladder(t16=30.2, t64=10.9))
    assert advice["best"] == 16
    assert advice["reason"] == "16 threads: 30.2 token/s, the fastest, 2.77x of 64 threads"
    assert advice["collapse"].startswith("all 64 threads give 10.9 token/s, 0.36x of 16 threads")


def test_one_node_alone_is_shown_and_not_chosen():
    advice = advise({Rung(96, "isolate"): [50.0], Rung(96): [20.0], Rung(192): [30.0]})
    assert advice["best"] == 192
    assert [rung.get("numa") for rung in advice["ladder"]] == [None, "isolate", None]


def test_without_a_figure_there_is_no_advice():
    assert advise({}) is None
    assert advise({Rung(2): []}) is None
    assert advise({Rung(1): [3.0], Rung(2): []})["reason"] == "1 thread: 3 token/s, the only count tried"
