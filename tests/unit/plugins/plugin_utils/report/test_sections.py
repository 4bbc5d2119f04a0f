# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else a page shows: latency, load times, threads, bandwidth, noise, omissions, time; and how it is judged."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages, sections
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.sections import percentile, sparkline

Record = dict[str, Any]

CEILINGS = "Memory bandwidth and arithmetic"


def of(real: list[Record], kind: str, test: str = "", purpose: str | None = None) -> Record:
    return next(
        one
        for one in real
        if one["kind"] == kind
        and (not test or (one["payload"]["cell"]["test"], one["payload"]["cell"].get("purpose")) == (test, purpose))
    )


def page(every: list[Record]) -> str:
    return next(text for path, text in pages.render(every).items() if path.endswith("/q4.md"))


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def launches(real: list[Record], test: str, speeds: list[float], purpose: str | None = None) -> list[Record]:
    """Return undisturbed launches of a test with these figures, one in each block."""
    made = []
    for number, speed in enumerate(speeds, start=1):
        one = copy.deepcopy(of(real, "launch", test))
        payload = one["payload"]
        if purpose:
            payload["cell"]["purpose"] = purpose
        payload.update(number=number, block=number, validity={"state": "VALID", "reasons": []})
        payload["metrics"][summary.speed_of(payload["cell"])]["value"] = speed
        made.append(one)
    return made


def without(real: list[Record], *kinds: str) -> list[Record]:
    return [one for one in real if one["kind"] not in kinds]


def test_every_section_of_a_real_run_is_there(real):
    text = page(real)
    for title in ("Throughput", "Latency", "Load time", "Threads", CEILINGS, "Not measured", "CPU use"):
        assert section(text, title), title
    assert "4 users" in section(text, "Latency")
    assert "llama-batched-bench" in section(text, "Latency")
    assert "Processors and memory over the time of a launch" in section(text, "CPU use")
    # What ran for the ladder is no figure of its own.
    assert "tg32 |" not in section(text, "Throughput")
    assert "| serve" not in section(text, "Throughput")
    assert "llama_bench_minutes" in section(text, "Not measured")


def test_prompts_are_held_against_the_arithmetic_where_that_was_measured(real):
    assert "Share of" not in section(page(real), CEILINGS)
    assert "32-bit FMA |" not in section(page(real), CEILINGS)
    for one in real:
        if one["kind"] == "bandwidth":
            one["payload"]["fma_gflops"] = {"best": 300.0, "median": 290.0, "samples": [290.0, 300.0, 280.0]}
    # 2 x 1.24e9 weights for each of some hundred tokens a second.
    (line,) = [line for line in section(page(real), CEILINGS).splitlines() if line.startswith("| pp512")]
    rate, top, share = (float(cell.strip().rstrip(" %\u00a0")) for cell in line.strip("|").split("|")[1:])
    assert top == 300
    assert share == pytest.approx(100 * rate / 300, rel=0.01)


FELT = "Latency, load time and cost"


def test_the_index_says_what_one_user_feels(real):
    index = pages.render(real)["README.md"]
    (line,) = [line for line in section(index, FELT).splitlines() if "tiny-synthetic" in line or "llama-3" in line]
    assert "1 user, 128 tokens in, 64 out" in line
    assert line.count("\u00a0s |") == 4
    assert "USD" not in section(index, FELT)
    for one in real:
        if one["kind"] == "machine":
            one["payload"]["instance"] = {"type": "c7i.16xlarge", "zone": "us-east-1a"}
    assert "USD per million, prompt" in section(pages.render(real)["README.md"], FELT)


def test_a_run_without_any_of_it_has_none_of_it(real):
    plain = [
        one
        for one in without(real, "samples", "bandwidth", "threads", "omitted", "end")
        if one["kind"] != "launch" or one["payload"]["cell"]["test"] == "pp512"
    ]
    for one in plain:
        if one["kind"] == "run":
            one["payload"]["cells"] = [cell for cell in one["payload"]["cells"] if cell["test"] == "pp512"]
    assert FELT not in pages.render(plain)["README.md"]
    text = page(plain)
    for title in ("Latency", "Load time", "Threads", CEILINGS, "Noise floor", "Not measured"):
        assert f"## {title}" not in text


@pytest.mark.parametrize(
    ("percent", "least"), [(50, 1), (90, 10), (95, 200), (99, 1000)]
)  # fmt: skip
def test_a_percentile_needs_its_number_of_values(percent, least):
    assert percentile([1.0] * (least - 1), percent) is None
    assert percentile([1.0] * least, percent) == 1.0


def test_percentiles_are_of_the_nearest_rank():
    values = [float(value) for value in range(1, 11)]
    assert percentile(values, 50) == 5.0
    assert percentile(values, 90) == 9.0


def test_a_drift_of_the_memory_makes_the_whole_session_invalid(real):
    assert summary.drift_percent(summary.runs(real)[0]) > 2
    text = page(real)
    assert "INVALID session: the memory bandwidth drifted by" in text
    for one in real:
        if one["kind"] == "bandwidth":
            one["payload"]["read_gb_s"]["best"] = 10.0
    calm = page([*without(real, "launch"), *launches(real, "pp512", [100.0, 100.1, 99.9, 100.0, 100.1, 99.9])])
    assert "INVALID session" not in calm
    assert "| pp512 | 1 | 6 | 100.0 |" in calm
    assert "VALID |" in section(calm, "Throughput")


def steady(real: list[Record]) -> list[Record]:
    return without(real, "launch", "bandwidth", "samples")


def row_of(every: list[Record], test: str = "pp512") -> summary.Row:
    run = summary.runs(every)[0]
    return next(row for row in summary.rows(run, summary.cells(run)) if row.cell["test"] == test)


def test_disturbed_launches_are_left_out_where_there_are_enough_others(real):
    every = launches(real, "pp512", [100.0, 100.1, 99.9, 100.0, 100.1, 99.9, 50.0])
    next(one for one in real if one["kind"] == "run")["payload"]["launches"] = 6
    every[-1]["payload"]["validity"] = {"state": "INVALID", "reasons": ["steal"]}
    row = row_of([*steady(real), *every])
    assert row.state == "VALID"
    assert row.interval.mean == pytest.approx(100.0)
    assert row.reasons == ["1 of 7 launches disturbed and left out"]
    assert len(row.launches) == 7
    # Too few are left: all of them are shown, and the row is not ranked.
    row = row_of([*steady(real), *every[1:]])
    assert row.state == "INVALID"
    assert row.lowest == 50.0


def test_the_second_copy_of_a_cell_is_the_noise_and_no_row(real):
    every = [
        *steady(real),
        *launches(real, "tg128", [100.0, 101.0, 99.0, 100.0, 101.0, 99.0]),
        *launches(real, "tg128", [100.1, 101.2, 99.1, 100.1, 101.0, 99.2], purpose="twin"),
    ]
    text = page(every)
    assert "was measured twice in the same blocks" in section(text, "Noise floor")
    assert "1.0012 times as fast" in section(text, "Noise floor")
    assert section(text, "Throughput").count("| tg128 |") == 1


def test_a_planned_cell_is_the_one_that_was_measured_with_the_threads_of_the_ladder(real):
    run = summary.runs(real)[0]
    tests = [cell["test"] for cell in summary.cells(run)]
    assert len(tests) == len(set(tests))
    assert not [cell for cell in summary.cells(run) if not cell["threads"]]
    assert "MISSING" not in page(real).partition("STATES")[0].partition("MISSING: planned")[0]


def test_a_failure_that_was_made_up_for_is_none_any_more(real):
    cell = of(real, "launch", "pp512")["payload"]["cell"]
    lost = {"phase": "connect", "cause": "The host was lost.", "advice": "Look.", "cell": None, "detail": {}}
    broken = {**lost, "phase": "measure", "cell": cell}
    refused = {**lost, "phase": "plan"}
    early = [dict(real[0], kind="failure", time="2026-11-26T00:00:00Z", payload=one) for one in (lost, broken, refused)]
    late = [dict(one, time="2026-11-27T00:00:00Z") for one in early]
    assert [one["payload"]["phase"] for one in summary.standing_failures([*real, *early])] == ["plan"]
    assert len(summary.standing_failures([*real, *late])) == 3
    assert len(summary.standing_failures([*without(real, "end", "launch"), *early])) == 3


@pytest.mark.parametrize(
    ("values", "top", "line"),
    [
        ([0.0, 50.0, 100.0], 100.0, "▁▅█"),
        ([None, 200.0, -1.0], 100.0, " █▁"),
        ([], 100.0, ""),
        ([1.0], 0.0, "▁"),
    ],
)
def test_a_line_of_values(values, top, line):
    assert sparkline(values, top) == line


def test_a_long_line_is_put_together():
    assert len(sparkline([float(value) for value in range(1000)], 1000.0)) == sections.WIDTH
    assert sparkline([None] * 61, 1.0) == " " * 60


@pytest.mark.parametrize(
    "spoil",
    [
        {"time_s": [], "idle": None, "user": None, "system": None, "iowait": None, "steal": None, "cores": None},
        {"cores": [None, []], "rss_bytes": None, "anon_bytes": None},
        {"idle": [50.0], "iowait": None},
    ],
)
def test_samples_that_hold_nothing_break_no_page(real, spoil):
    for one in real:
        if one["kind"] == "samples":
            one["payload"].update(spoil)
    assert "## CPU use" in page(real)


def test_a_server_without_a_good_request_breaks_no_page(real):
    for one in real:
        if one["kind"] == "launch":
            one["payload"].pop("requests", None)
            one["payload"].pop("slo", None)
    text = section(page(real), "Latency")
    assert "N/A" in text
    assert "the latency targets" in text


def test_names_of_a_record_stay_text(real):
    evil = "x | <b>y</b>\n# z"
    for one in real:
        payload = one["payload"]
        if one["kind"] == "omitted":
            payload.update(cause=evil, advice=evil)
        if one["kind"] == "threads":
            payload["prompt"].update(reason=evil, collapse=evil)
        if one["kind"] == "bandwidth":
            payload["stage"] = evil
    text = page(real)
    assert "<b>" not in text
    assert "\n# z" not in text
    assert json.dumps(evil)[1:-1] not in text
