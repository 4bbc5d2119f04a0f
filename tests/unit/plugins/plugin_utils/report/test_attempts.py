# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that came to less never takes the place of one with figures, and says on every page why."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from support.records import side_by_side
from support.records.real_run import asked_only, measured_only

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary, validity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import forms as export
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import terminal

Record = dict[str, Any]

INDEX = summary.INDEX
LATER = "20990101T000000Z-ffff"
WHEN = "2099-01-01T00:00:00Z"


def again(real: list[Record], *kinds: str) -> list[Record]:
    """Return the same run at a later time, as far as its records are of these kinds."""
    return [dict(copy.deepcopy(record), run=LATER, time=WHEN) for record in real if record["kind"] in kinds]


def failed(machine: str, cells: list[dict[str, Any]] | list[None], cause: str = "the compiler is gone") -> list[Record]:
    payloads = [envelope.failure("build", cause, "Install it.", cell) for cell in cells]
    return [dict(envelope.make("failure", LATER, machine, payload), time=WHEN) for payload in payloads]


def planned(real: list[Record]) -> list[dict[str, Any]]:
    return next(record["payload"]["cells"] for record in real if record["kind"] == "run")


def figures(page: str) -> list[str]:
    """Return the lines of a page that have a speed."""
    return [line for line in page.splitlines() if "token/s" in line]


def attempts(real: list[Record]) -> dict[str, tuple[list[Record], str]]:
    machine = real[0]["machine"]
    plan = again(real, "machine", "run")
    threads = [
        dict(copy.deepcopy(record), run=LATER, time=WHEN)
        for record in real
        if record["kind"] == "launch"
    ][:1]  # fmt: skip
    threads[0]["payload"]["cell"] = {**threads[0]["payload"]["cell"], "purpose": "ladder"}
    omitted = [
        dict(
            envelope.make("omitted", LATER, machine, {"cell": cell, "cause": "no room", "advice": "Raise it."}),
            time=WHEN,
        )
        for cell in planned(real)
    ]
    return {
        "nothing built": ([*plan, *failed(machine, planned(real))], "phase build: the compiler is gone"),
        "host lost": ([*plan, *failed(machine, [None])], "phase build: the compiler is gone"),
        "interrupted": (plan, "it ended before the first launch of any of its"),
        "interrupted in its ladder": ([*plan, *threads], "choosing the thread counts took"),
        "no time for anything": ([*plan, *omitted], "had no room for"),
    }


@pytest.fixture(
    params=["nothing built", "host lost", "interrupted", "interrupted in its ladder", "no time for anything"]
)
def attempt(request: pytest.FixtureRequest, real: list[Record]) -> tuple[list[Record], str]:
    """The records of a later run without a figure, and words of the reason."""
    return attempts(real)[request.param]


def test_figures_stay_where_a_newer_run_has_none(real: list[Record], attempt: tuple[list[Record], str]) -> None:
    newer, why = attempt
    before, after = report.render(real), report.render([*real, *newer])
    for path in before:
        assert set(figures(before[path])) <= set(figures(after[path])), path
    page = next(path for path in before if path.endswith("q4.md"))
    machine = summary.machine_path(real[0]["machine"])
    for path in (page, machine, INDEX):
        assert "newer run of 2099-01-01" in after[path], path
        assert why in after[path].replace("\\", ""), path
    assert f"records/{LATER}.jsonl" in after[page]


def test_exports_and_comparisons_keep_to_the_run_with_figures(
    real: list[Record], attempt: tuple[list[Record], str]
) -> None:
    runs = summary.runs([*real, *attempt[0]])
    assert {run.run for run, _row in export.standing(runs)} == {real[0]["run"]}
    selected = compare.select(compare.Measured(runs), {"run": compare.LATEST})
    assert {run.run for run, _row in selected} == {real[0]["run"]}


def test_alone_it_says_why_on_its_page_and_in_the_terminal(
    real: list[Record], attempt: tuple[list[Record], str]
) -> None:
    newer, why = attempt
    pages = report.render(newer)
    (page,) = (text for path, text in pages.items() if path.endswith("q4.md"))
    assert re.search(f"Nothing was measured: .*{re.escape(why)}", page.replace("\\", ""))
    (line,) = terminal.lines(newer, LATER, "results")
    assert line.startswith(f"{real[0]['machine']}: nothing was measured: ")
    assert why in line


def test_alone_the_index_says_why_and_no_cell_has_0_threads(
    real: list[Record], attempt: tuple[list[Record], str]
) -> None:
    newer, why = copy.deepcopy(attempt[0]), attempt[1]
    for record in newer:
        for cell in (record["payload"].get("cell"), *record["payload"].get("cells", [])):
            if cell and cell.get("purpose") != "ladder":
                cell["threads"] = 0
    pages = report.render(newer)
    bullet = next(line for line in pages[INDEX].splitlines() if line.startswith("- **"))
    assert "nothing measured in the latest run: " in bullet
    assert why in bullet.replace("\\", "")
    (page,) = (text for path, text in pages.items() if path.endswith("q4.md"))
    assert not re.search(r"\| pp512 \| 0 \|", page)
    assert "| pp512 | by the ladder |" in page


def test_launches_that_only_estimate_the_times_are_not_said_to_choose_threads(real: list[Record]) -> None:
    newer, why = attempts(real)["interrupted in its ladder"]
    assert why in summary.why_nothing(summary.runs(copy.deepcopy(newer))[0])
    for record in newer:
        for cell in record["payload"].get("cells", []):
            cell["threads"] = 2
    said = summary.why_nothing(summary.runs(newer)[0])
    assert "estimating how long launches take took" in said
    assert "choosing" not in said


def test_a_run_that_ended_before_its_second_test_leaves_both_figures(real: list[Record]) -> None:
    newer = measured_only(again(real, "machine", "run", "build", "model", "launch"), "pp512")
    before, after = report.render(real), report.render([*real, *newer])
    page = next(path for path in before if path.endswith("q4.md"))
    assert set(figures(before[page])) <= set(figures(after[page]))
    assert "A newer run of 2099-01-01 00:00 UTC ended early" in after[page]


def test_a_run_that_measured_all_takes_the_place(real: list[Record]) -> None:
    after = report.render([*real, *again(real, "machine", "run", "build", "model", "launch")])
    page = next(text for path, text in after.items() if path.endswith("q4.md"))
    assert f"run {LATER}" in page
    assert "newer run of" not in page


def test_a_cell_that_failed_was_come_to(real: list[Record]) -> None:
    """What a newer run has measured is not hidden because something else of it broke."""
    newer = measured_only(again(real, "machine", "run", "build", "model", "launch"), "pp512")
    newer += failed(real[0]["machine"], [cell for cell in planned(real) if cell["test"] != "pp512"])
    page = next(text for path, text in report.render([*real, *newer]).items() if path.endswith("q4.md"))
    assert f"run {LATER}" in page
    assert "see Failures" in page


def test_what_stands_side_by_side_stays(real: list[Record]) -> None:
    good = side_by_side.records()
    run = max(record["run"] for record in good)
    newer = again([record for record in good if record["run"] == run], "machine", "run")
    before, after = report.render(good), report.render([*good, *newer])
    compared = [path for path, text in before.items() if "side by side" in text.partition("\n\n")[2][:200]]
    assert compared
    for path in compared:
        assert set(figures(before[path])) <= set(figures(after[path])), path
        assert "A newer run of 2099-01-01 00:00 UTC measured nothing" in after[path], path


DISTURBED = {"state": "INVALID", "reasons": ["another process"]}


def undisturbed(real: list[Record]) -> list[Record]:
    """Return the run with enough launches of each cell, which agree to a thousandth, and none of them disturbed."""
    some = []
    for record in real:
        if record["kind"] == "launch":
            some += [_repeated(record, times) for times in range(validity.ENOUGH_LAUNCHES)]
        elif record["kind"] != "bandwidth":
            some.append(copy.deepcopy(record))
    return some


def _repeated(launch: Record, times: int) -> Record:
    """Return the launch that came so many rounds after `launch`."""
    again = copy.deepcopy(launch)
    again["payload"]["number"] += 100 * times
    again["payload"]["block"] = times
    again["payload"]["validity"] = {"state": "VALID", "reasons": []}
    again["payload"]["gates"].update(steal_percent=0.0, other_cpu_percent=0.0)
    for entry in again["payload"]["metrics"].values():
        if entry["value"] is not None:
            entry["value"] *= 1 + times / 5000
    return again


def disturbed(good: list[Record], *tests: str) -> list[Record]:
    """Return the same run at a later time, in which the launches of these tests do not hold; of none: of all."""
    later = again(good, "machine", "run", "build", "model", "launch")
    for record in later:
        if record["kind"] == "launch" and (not tests or record["payload"]["cell"]["test"] in tests):
            record["payload"]["validity"] = dict(DISTURBED)
            for entry in record["payload"]["metrics"].values():
                entry["value"] *= 0.5
    return later


def test_a_newer_invalid_run_stands_beside_the_figure_that_holds(real: list[Record]) -> None:
    good = undisturbed(real)
    before, after = report.render(good), report.render([*good, *disturbed(good)])
    page = next(path for path in before if path.endswith("q4.md"))
    speeds = [
        line.split("|")[2] for line in before[page].splitlines() if line.startswith("| Token generation, tg128 |")
    ]
    assert speeds
    assert f"{speeds[0].strip()} |" in after[page]
    assert "A newer run of 2099-01-01 00:00 UTC: INVALID, 6 of 6 launches disturbed" in after[page]
    assert f"[{LATER}]" in after[page].partition("## Earlier and newer runs")[2]
    index = after[INDEX]
    assert "nothing that holds" not in index
    assert "figure that holds" not in index
    for path in (INDEX, summary.machine_path(real[0]["machine"]), "models/tiny-synthetic.md"):
        assert speeds[0].strip(" *").partition("\u00a0")[0] in after[path], path
        assert "newer run of 2099-01-01: INVALID, 6 of 6 launches disturbed" in after[path], path


def test_of_a_run_that_holds_in_part_the_rest_is_the_earlier_figure(real: list[Record]) -> None:
    good = undisturbed(real)
    after = report.render([*good, *disturbed(good, "tg128")])
    page = next(text for path, text in after.items() if path.endswith("q4.md"))
    assert f"run {LATER}" in page
    of_generation = [line for line in page.splitlines() if line.startswith("| Token generation, tg128 |")]
    assert len(of_generation) == 2
    assert f"of {real[0]['time'][:10]}; newer run of 2099-01-01: INVALID" in of_generation[0]
    (index,) = [line for line in after[INDEX].splitlines() if line.startswith(f"| [{real[0]['machine']}]")][:1]
    generation, _token, prompt = index.split(" | ")[-3:]
    assert f"of {real[0]['time'][:10]}; newer run of 2099-01-01: INVALID" in generation
    assert "newer run" not in prompt


def test_a_test_that_a_newer_run_does_not_have_stays_with_its_day(real: list[Record]) -> None:
    good = undisturbed(real)
    newer = asked_only(again(good, "machine", "run", "build", "model", "launch"), "pp512")
    after = report.render([*good, *newer])
    page = next(text for path, text in after.items() if path.endswith("q4.md"))
    assert f"run {LATER}" in page
    (line,) = [line for line in page.splitlines() if line.startswith("| Token generation, tg128 |")]
    assert f"of {real[0]['time'][:10]}" in line
    assert "newer run" not in line


def slower(good: list[Record], environment: dict[str, str] | None = None, **cell: Any) -> list[Record]:
    """Return a later run of other cells alone, undisturbed and at half the speed."""
    newer = again(good, "machine", "run", "build", "model", "launch")
    for record in newer:
        payload = record["payload"]
        for of_cell in (payload.get("cell"), *payload.get("cells", [])):
            if of_cell:
                of_cell.update(cell)
        if record["kind"] == "launch":
            for entry in payload["metrics"].values():
                entry["value"] = (entry["value"] or 0) * 0.5
        if environment and record["kind"] in ("run", "launch"):
            payload["environment"] = environment
    return newer


def head(every: list[Record]) -> tuple[list[str], str, str]:
    """Return of tg128 the lines of the head of the page, and the lines of the pages of the model and of all."""
    after = report.render(every)
    page = next(text for path, text in after.items() if path.endswith("q4.md"))
    lines = [line for line in page.splitlines() if line.startswith("| Token generation, tg128 |")]
    (of_model,) = (text for path, text in after.items() if path.startswith("models/"))
    measured = of_model.partition("## Measured")[2].splitlines()
    start = f"| [{every[0]['machine']}]"
    return lines, *(
        next(line for line in text if line.startswith(start)) for text in (measured, after[INDEX].splitlines())
    )


def _speed(line: str) -> str:
    return re.sub(r"[*\s].*", "", line.split("|")[2].strip(" *"))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"threads": 3}, "tg128, 3 threads"),
        ({"build": "no-repack"}, "build no-repack"),
        ({"environment": {"OMP_WAIT_POLICY": "passive"}}, "with OMP_WAIT_POLICY=passive"),
    ],
)
def test_a_newer_figure_of_another_cell_does_not_hide_the_better_one(
    real: list[Record], other: dict[str, Any], said: str
) -> None:
    good = undisturbed(real)
    (before,), *_index = head(good)
    lines, measured, entry = head([*good, *slower(good, **other)])
    assert _speed(lines[0]) == _speed(before)
    for shown in (lines[0], measured, entry):
        assert _speed(before) in shown
        assert f"of {real[0]['time'][:10]}" in shown
        assert "newer run of 2099-01-01: tg128, " in shown
        assert said in shown


def test_a_better_figure_of_another_commit_is_not_that_of_the_current_software(real: list[Record]) -> None:
    good = undisturbed(real)
    newer = slower(good, threads=3)
    for record in newer:
        if record["kind"] == "build":
            record["payload"]["source"]["commit"] = "f" * 40
    lines, _measured, entry = head([*good, *newer])
    assert len(lines) == 1
    assert _speed(lines[0]) in entry
    assert "newer run" not in entry


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"build": "no-repack"}, "build no-repack"),
        ({"environment": {"OMP_WAIT_POLICY": "passive"}}, "with OMP_WAIT_POLICY=passive"),
    ],
)
def test_a_figure_of_anything_but_the_default_is_named(real: list[Record], other: dict[str, Any], said: str) -> None:
    every = slower(undisturbed(real), **other)
    _lines, measured, entry = head(every)
    assert said in measured
    assert said in entry
    card = report.render(every)[INDEX]
    assert all(said in line for line in card.splitlines() if line.startswith(("| Interactive", "| Batch")))


def test_a_card_names_what_holds_rather_than_a_better_test_that_does_not(real: list[Record]) -> None:
    """A server was disturbed in the only run: generation, which was not, is what there is to choose by."""
    some = undisturbed(real)
    for record in some:
        if record["kind"] == "launch" and record["payload"]["cell"]["test"].startswith(("serve", "batch")):
            record["payload"]["validity"] = dict(DISTURBED)
    card = report.render(some)[INDEX]
    assert "nothing that holds" not in card
    assert "tg128" in next(line for line in card.splitlines() if line.startswith("| Interactive<br>"))


def test_the_history_marks_what_does_not_hold(real: list[Record]) -> None:
    good = undisturbed(real)
    pages = report.render([*good, *disturbed(good)])
    (figure,) = [figure for figure in pages.figures if figure.path.endswith("q4-history")]
    assert "(INVALID)" in figure.alt
    panels = figure.spec.get("hconcat") or [figure.spec]
    for panel in panels:
        line, _rule, point = panel["layer"]
        assert {value["state"] for value in panel["data"]["values"]} == {"holds", "INVALID"}
        shape = point["encoding"]["shape"]
        assert shape["scale"] == {"domain": ["holds", "INVALID"], "range": ["circle", "cross"]}
        assert shape["legend"]["title"] == "Figure"
        assert line["transform"] == [{"filter": "datum.state != 'INVALID'"}]
    page = next(text for path, text in pages.items() if path.endswith("q4.md"))
    assert "**INVALID**<br><sub>6 of 6 launches disturbed</sub>" in page.partition("## Earlier and newer runs")[2]


def test_the_history_does_not_call_a_figure_disturbed_that_is_only_little_known(real: list[Record]) -> None:
    good = undisturbed(real)
    wide = again(good, "machine", "run", "build", "model", "launch")
    for record in wide:
        if record["kind"] == "launch":
            for entry in record["payload"]["metrics"].values():
                entry["value"] = (entry["value"] or 0) * (1 + record["payload"]["number"] // 100 % 2)
    (figure,) = [one for one in report.render([*good, *wide]).figures if one.path.endswith("q4-history")]
    assert "(UNSTABLE)" in figure.alt
    assert "INVALID" not in figure.alt
    for panel in figure.spec.get("hconcat") or [figure.spec]:
        assert {value["state"] for value in panel["data"]["values"]} == {"holds", "UNSTABLE"}
        shape = panel["layer"][2]["encoding"]["shape"]["scale"]
        assert shape == {"domain": ["holds", "UNSTABLE"], "range": ["circle", "diamond"]}
