# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The section of several hosts: who holds what, the ratios to one host, and that none of it stands for the machine."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.records import side_by_side
from support.records.real_run import section

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages

Record = dict[str, Any]
TITLE = "Several hosts together"
PAGE = f"{side_by_side.MACHINE}/{side_by_side.MODEL}/q4.md"


def faster(every: list[Record], text: str, times: float, hosts: tuple[str, ...] = ()) -> list[Record]:
    """Return copies of the launches of Q4_0 in the first build as ones with a variant, so many times as fast."""
    copies = []
    for record in every:
        payload = record["payload"]
        if record["kind"] != "launch" or (payload["cell"]["quantization"], payload["cell"]["build"]) != (
            "Q4_0",
            "default",
        ):
            continue
        made = copy.deepcopy(record)
        payload = made["payload"]
        payload["cell"]["variant"] = text
        for name in ("pp_tps", "tg_tps"):
            if name in payload["metrics"]:
                metric = payload["metrics"][name]
                metric.update(value=metric["value"] * times, samples=[sample * times for sample in metric["samples"]])
        if hosts:
            rows = [
                {"host": host, "layers": 8, "threads": 2, "model_bytes": 200 << 20, "kv_bytes": 4 << 20,
                 "compute_bytes": 2 << 20, "processor": "Arm <b>Neoverse</b>", "round_trip_s": 0.00025}
                for host in hosts
            ]  # fmt: skip
            payload["cluster"] = {"hosts": rows, "interface": "eth0"}
            payload["metrics"]["network_token_bytes"] = {"value": 200_000, "unit": "B"}
            payload["metrics"]["network_share_percent"] = {"value": 12.5, "unit": "%"}
        copies.append(made)
    assert copies
    return copies


@pytest.fixture
def every() -> list[Record]:
    return side_by_side.records()


def test_a_page_of_one_host_says_nothing_of_several(every):
    assert all(TITLE not in text for text in pages.render(every).values())


def test_hosts_are_named_with_what_they_hold_and_held_against_one_host(every):
    told = [*every, *faster(every, "repack=off", 0.5), *faster(every, "hosts=2", 0.25, ("first", "sec|ond"))]
    text = section(pages.render(told)[PAGE], TITLE)
    for words in ("hosts=2", "200\u00a0MiB", "sec&#124;ond", "0.2500", "12.5", "195\u00a0KiB"):
        assert words in text, words
    assert "<b>" not in text
    # A quarter of one host's speed, and half of what one host does without repacking.
    assert "0.250" in text
    assert "0.500" in text


def test_what_several_hosts_do_is_no_figure_of_the_machine(every):
    before = pages.render(every)
    after = pages.render([*every, *faster(every, "hosts=2", 50.0, ("first", "second"))])
    assert before["README.md"] == after["README.md"]
    run = summary.runs([*every, *faster(every, "hosts=2", 50.0, ("first", "second"))])[-1]
    for rows in (summary.rows(run, cells) for cells in summary.pages(run).values()):
        for speed in ("pp_tps", "tg_tps"):
            best = summary.headline(rows, speed)
            assert best is None or "variant" not in best.cell
        assert all(summary.standing(rows, row) == "" for row in rows if row.cell.get("variant"))
