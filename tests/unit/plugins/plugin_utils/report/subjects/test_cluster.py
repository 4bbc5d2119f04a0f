# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The section of several hosts: who holds what, the ratios to one host, and that none of it stands for the machine."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from support.records import side_by_side
from support.records.real_run import launches, page, section

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, summary
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


# One server on each host, behind a proxy.

LOAD = "serve128+64@c4"


def shared(
    real: list[Record], text: str, outputs: list[float], hosts: tuple[str, ...] = (), **instance: str
) -> list[Record]:
    """Return launches of a load with a variant and these outputs of all users, one in each block."""
    made = launches(real, LOAD, [0.1] * len(outputs))
    for record, output in zip(made, outputs, strict=True):
        payload = record["payload"]
        payload["metrics"]["output_tps"] = {"value": output, "unit": "token/s"}
        if text:
            payload["cell"]["variant"] = text
        rows = [{"host": host, "threads": 2, "requests": 10 - number, **instance} for number, host in enumerate(hosts)]
        if hosts and text.startswith("servers"):
            payload["cluster"] = {"hosts": rows, "proxy": "HAProxy version 2.6.12"}
        elif hosts:
            payload["cluster"] = {"hosts": [{**row, "layers": 9, "requests": None} for row in rows]}
    return made


@pytest.fixture
def told(real: list[Record]) -> list[Record]:
    """A run of one host, of two with a server each, and of two with one model together."""
    two = ("first", "sec|ond <b>")
    kept = [one for one in real if one["kind"] != "launch" or one["payload"]["cell"]["test"] != LOAD]
    return [
        *kept,
        *shared(real, "", [20.0, 20.2, 19.9, 20.1]),
        *shared(real, "servers=2", [38.0, 38.4, 37.9, 38.3], two),
        *shared(real, "hosts=2", [15.0, 15.1, 14.9, 15.0], two),
    ]


def test_which_way_to_rent_several_hosts_is_said(told):
    text = section(page(told), TITLE)
    for words in (
        "2 hosts with a server each give 1.903 times the output of one",
        "which is 95 % of 2 times.",
        "2 hosts with one model together give 0.748 times the output of one",
        "rent them so only for a model that one host cannot hold.",
        "first 10, sec&#124;ond &lt;b&gt; 9",
        "| 1.903<br>",
        "HAProxy",
    ):
        assert words in text, words
    assert "USD" not in text
    assert "<b>" not in text


def test_what_is_not_sure_is_said_to_be_so(real):
    kept = [one for one in real if one["kind"] != "launch" or one["payload"]["cell"]["test"] != LOAD]
    alone = shared(real, "", [20.0, 30.0, 10.0, 20.0])
    every = [*kept, *alone, *shared(real, "servers=2", [30.0, 12.0, 19.0, 22.0], ("first", "second"))]
    assert "which may be no more than one host does." in section(page(every), TITLE)
    # A single block has no interval, and one that was not measured alone no ratio.
    for some in ([*kept, *alone[:1], *every[-4:-3]], [*kept, *every[-4:]]):
        text = section(page(some), TITLE)
        assert "servers=2" in text
        assert "hosts with a server each give" not in text


def test_tokens_of_several_hosts_are_paid_for_on_all_of_them(told, real):
    for one in told:
        if one["kind"] == "machine":
            one["payload"]["instance"] = {"type": "c7i.16xlarge", "zone": "us-east-1a"}
    assert "USD/M tokens" in section(page(told), TITLE)
    (servers,) = [line for line in section(page(told), TITLE).splitlines() if "| servers=2 |" in line]
    (alone,) = [line for line in section(page(told), TITLE).splitlines() if "| one |" in line]
    both, single = (float(line.split("|")[-3]) for line in (servers, alone))
    assert both == pytest.approx(single * 2 / 1.903, rel=0.01)
    # What another type costs nobody has looked up.
    mixed = [*told, *shared(real, "servers=3", [50.0, 51.0], ("a", "b"), type="c8g.large")]
    for record in mixed[-2:]:
        record["payload"]["cluster"]["hosts"][0]["type"] = "c7i.16xlarge"
    (line,) = [line for line in section(page(mixed), TITLE).splitlines() if "| servers=3 |" in line]
    assert line.split("|")[-3].strip() == "N/A"


def test_requests_to_several_hosts_are_no_latency_or_price_of_the_machine(told):
    rows = summary.rows(summary.runs(told)[-1], next(iter(summary.pages(summary.runs(told)[-1]).values())))
    several = [row for row in rows if "variant" in row.cell]
    assert len(several) == 2
    assert summary.fewest_users(several) is None
    assert cost.of_rows(several, Decimal("1")) == []


def test_the_table_of_latencies_says_which_line_is_of_which_variant(told, real):
    lines = [line for line in section(page(told), "Latency").splitlines() if line.startswith("| 4 users")]
    assert [("servers=2" in line, "hosts=2" in line) for line in lines].count((False, False)) == 1
    assert len(lines) == 3
    # Where there is one way, nobody has to be told, unless it is that of several hosts.
    assert "default" not in section(page(real), "Latency")
    kept = [one for one in real if one["kind"] != "launch" or not one["payload"]["cell"]["test"].startswith("serve")]
    alone = section(page([*kept, *shared(real, "servers=2", [38.0, 38.4], ("first", "second"))]), "Latency")
    assert "default, servers=2" in alone


def test_the_curve_of_latencies_is_of_one_host(real):
    every = copy.deepcopy(real)
    for one in every:
        cell = one["payload"].get("cell") or {}
        if one["kind"] == "launch" and cell["test"].startswith("serve"):
            cell["variant"] = "servers=2"
    assert any(figure.path.endswith("-latency") for figure in pages.render(real).figures)
    assert not any(figure.path.endswith("-latency") for figure in pages.render(every).figures)
