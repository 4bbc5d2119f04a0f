# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts side by side over real ssh: one that is quick, one that is slow and one that is away at first."""

from __future__ import annotations

import re

import pytest
from support.hosts import chaos, clones, interruptions
from support.hosts.chaos import Trial
from support.hosts.clones import Spec

pytestmark = pytest.mark.skipif(clones.obstacle() is not None, reason=str(clones.obstacle()))

QUICK, SLOW = 2, 12


def launches(trial, name):
    paths = trial.results.glob(f"{name}/records/*.jsonl")
    return sum(record["kind"] == "launch" for record in interruptions.records_in(paths))


def test_nobody_waits_for_another_and_the_same_command_measures_what_failed(tmp_path):
    chaos.prepare()
    with clones.clones([Spec(name, 300) for name in ("quick", "slow", "away")]) as hosts:
        trial = Trial(tmp_path, hosts["quick"], llama_bench_tests=["tg64"])
        for name in ("llama_bench_machine_name", "llama_bench_launches", "llama_bench_launches_most"):
            del trial.variables[name]
        given = {
            name: {"llama_bench_machine_name": name, "llama_bench_launches": count, "llama_bench_launches_most": count}
            for name, count in (("quick", QUICK), ("slow", SLOW), ("away", QUICK))
        }
        trial.host_variables = given["quick"]
        trial.beside = [(hosts[name], given[name]) for name in ("slow", "away")]
        hosts["away"].cut()
        try:
            trial.start()
            page = trial.results / "quick" / "tiny-synthetic" / "q4.md"
            trial.until(page.exists, "page of the quick host")
            # While the slow one still measures.
            assert launches(trial, "slow") < SLOW
            assert launches(trial, "quick") == QUICK
            trial.finish()
            hosts["away"].join()
            trial.start()
            trial.finish()
        finally:
            trial.close()
        first, second = trial.outputs
        # 4: Ansible has a code of its own for a host that cannot be reached.
        assert trial.codes == [4, 0], first + second
        assert re.search(r"^2 hosts: 1 done, 1 running, 0 failed; about .+ left$", first, re.MULTILINE), first
        assert "goes on with run" in second
        assert {name: launches(trial, name) for name in given} == {"quick": QUICK, "slow": SLOW, "away": QUICK}
        assert len({path.stem for path in trial.results.glob("*/records/*.jsonl")}) == 1
        # It has come to its end: the next command begins another run.
        assert not (trial.results / ".unfinished.json").exists()
