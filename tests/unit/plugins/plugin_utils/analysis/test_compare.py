# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two selections of the records: what they select, what may not be compared, and what is said of the rest."""

from __future__ import annotations

import copy
import json
import shlex
import sys
from typing import Any

import pytest
from support.records import side_by_side

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.compare import CompareError, parse_selection
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]


@pytest.fixture
def one_run() -> list[Record]:
    return [records.upgrade(copy.deepcopy(record)) for record in side_by_side.records()]


def again(one_run: list[Record], run: str = "20261125T150000Z-0002", factor: float = 1.0) -> list[Record]:
    """Return the records of a later run on the same machine, so many times as fast."""
    later = copy.deepcopy(one_run)
    for record in later:
        record.update(run=run, time=record["time"].replace("2026-11-24", "2026-11-25"))
        for name in ("pp_tps", "tg_tps"):
            if record["kind"] == "launch" and name in record["payload"]["metrics"]:
                record["payload"]["metrics"][name]["value"] *= factor
    return later


def compared(every: list[Record], a: str, b: str, *allow: str) -> list[compare.Compared]:
    return compare.compare(summary.runs(every), a, b, allow)


def test_of_two_lists_what_only_one_has_is_named(one_run):
    later = again(one_run)
    features = [f"feature{number}" for number in range(40)]
    for every, more in ((one_run, "avx2"), (later, "amx_tile")):
        for record in every:
            if record["kind"] == "build":
                record["payload"]["cpu_features"] = [*features, more]
    with pytest.raises(CompareError, match="only A has avx2; only B has amx_tile"):
        compared([*one_run, *later], one_run[0]["run"], later[0]["run"])


def test_variants_of_one_run_are_compared_block_by_block(one_run):
    every = side_by_side.as_variant(one_run, "no-repack", "repack=off+poll=0")
    a, b = "variant=default quantization=Q4_0 build=default", "variant=poll=0+repack=off build=default"
    found = compared(every, a, b)
    assert {one.b.cell["variant"] for one in found} == {"repack=off+poll=0"}
    assert all("variant" not in one.a.cell for one in found)
    assert {one.verdict.word for one in found} == {"slower"}
    assert all(one.interleaved for one in found)
    assert "build default -> build default, repack=off+poll=0" in shown(found)[1]
    offered = compare.offers(summary.runs(every))
    assert any("A=variant=default B=variant=repack=off+poll=0" in offer for offer in offered)
    with pytest.raises(CompareError, match="did you mean poll"):
        compared(every, "variant=pol=0", "variant=default")


def test_builds_of_one_run_are_compared_block_by_block(one_run):
    found = compared(one_run, "build=no-repack quantization=Q4_0", "build=default quantization=Q4_0")
    assert {one.a.cell["build"] for one in found} == {"no-repack"}
    assert {one.b.cell["build"] for one in found} == {"default"}
    assert {one.verdict.word for one in found} == {"faster"}
    assert all(one.interleaved for one in found)
    for one in found:
        assert one.a.cell["test"] == one.b.cell["test"]
    told = shown(found)
    assert told[-1] == f"B against A: {len(found)} faster"
    assert told[0] == f"{side_by_side.MACHINE}, run {side_by_side.RUN}"
    assert "build no-repack -> build default" in told[1]
    assert all(line.startswith("  faster ") for line in told[2:-1])
    turned = compared(one_run, "build=default,quantization=Q4_0", "build=no-repack,quantization=Q4_0")
    assert {one.verdict.word for one in turned} == {"slower"}


def shown(found: list[compare.Compared]) -> list[str]:
    return compare.lines(compare.told(found))


def renamed(every: list[Record], name: str, value: str) -> list[Record]:
    """Return the records with another machine, run, or name of model, quantization or build in each cell."""
    if name in ("machine", "run"):
        return [{**record, name: value} for record in copy.deepcopy(every)]
    changed = copy.deepcopy(every)
    for record in changed:
        for cell in (record["payload"].get("cell"), *record["payload"].get("cells", [])):
            if cell:
                cell[name] = value
    return changed


def test_a_table_fits_into_a_hundred_columns(one_run):
    every = renamed(renamed(one_run, "model", "a-model-of-" + "very-" * 18 + "many-letters"), "machine", "m" * 70)
    told = compare.told(compared([*every, *again(every, factor=0.9)], "previous", "latest"))
    lines = compare.lines(told)
    assert max(map(len, lines)) <= 100
    table = [line for line in lines if line.startswith("  slower ")]
    assert len(table) == len(told)
    assert len({line.index("x (") for line in table}) == 1
    mixed = compare.lines([*told, *(line._replace(parts=(*line.parts, "some 113 pairs may decide")) for line in told)])
    assert max(map(len, mixed)) <= 100
    text = " ".join(word for line in mixed for word in line.split())
    assert text.count("some 113 pairs may decide") == len(told)
    assert all(every[0]["machine"] in line.sentence and "some 113" not in line.sentence for line in told)


def test_a_later_run_is_compared_as_a_whole_and_says_that_it_is_not_interleaved(one_run):
    found = compared([*one_run, *again(one_run, factor=0.9)], "previous", "latest")
    assert {one.verdict.word for one in found} == {"slower"}
    assert not any(one.interleaved for one in found)
    assert "not interleaved" in " ".join(shown(found)[:2])
    assert all("not interleaved" in line.sentence for line in compare.told(found))
    same = compared([*one_run, *again(one_run)], side_by_side.RUN, "20261125T150000Z-0002")
    assert {one.verdict.ratio.mean for one in same} == {1.0}


def only(every: list[Record], *builds: str) -> list[Record]:
    return [
        one for one in every if one["kind"] not in ("launch", "failure") or one["payload"]["cell"]["build"] in builds
    ]


def test_the_newest_run_that_has_both_is_compared_before_newer_ones_that_have_one_each(one_run):
    """A latest run without one of the builds made the comparison fail."""
    later = only(again(one_run), "default")
    latest = only(again(one_run, "20261126T150000Z-0003"), "no-repack")
    wanted = ("build=no-repack quantization=Q4_0", "build=default quantization=Q4_0")
    found = compared([*one_run, *later, *latest], *wanted)
    assert {(one.runs[0].run, one.runs[1].run, one.interleaved) for one in found} == {
        (side_by_side.RUN, side_by_side.RUN, True)
    }
    assert len(found) == 2
    newer = again(one_run, "20261126T150000Z-0004")
    found = compared([*one_run, *newer], *wanted)
    assert {one.runs[1].run for one in found} == {"20261126T150000Z-0004"}


def test_without_a_run_of_both_the_newest_of_each_are_compared(one_run):
    first = only(again(one_run, "20261125T150000Z-0001"), "default")
    second = only(again(one_run, "20261125T150000Z-0002"), "default")
    third = only(again(one_run, "20261125T150000Z-0003"), "no-repack")
    found = compared([*first, *second, *third], "build=no-repack quantization=Q4_0", "build=default quantization=Q4_0")
    assert {(one.runs[0].run, one.runs[1].run) for one in found} == {("20261125T150000Z-0003", "20261125T150000Z-0002")}
    assert not any(one.interleaved for one in found)


def test_every_machine_is_compared_within_itself_and_one_that_a_side_names_is_that_of_both(one_run):
    both = [*one_run, *renamed(one_run, "machine", "gv4-c8g-16xlarge")]
    wanted = ("build=no-repack quantization=Q4_0", "build=default quantization=Q4_0")
    found = compared(both, *wanted)
    assert all(one.runs[0].machine == one.runs[1].machine for one in found)
    assert len({one.runs[0].machine for one in found}) == 2
    found = compared(both, f"{wanted[0]} machine=gv4-c8g-16xlarge", wanted[1])
    assert {one.runs[1].machine for one in found} == {"gv4-c8g-16xlarge"}
    apart = [*only(one_run, "default"), *renamed(only(one_run, "no-repack"), "machine", "gv4-c8g-16xlarge")]
    with pytest.raises(CompareError, match=r"no machine has both: .* where each side names one: machine="):
        compared(apart, *wanted)


def test_what_can_be_compared_is_said_in_ten_lines_of_commands_that_work(one_run):
    other = renamed(again(one_run, "20261126T150000Z-0003"), "machine", "gv4-c8g-16xlarge")
    every = [*one_run, *again(one_run), *other]
    offers = compare.offers(summary.runs(every))
    assert 5 <= len(offers) < 10
    assert max(map(len, offers)) <= 98
    for offer in offers:
        _make, _compare, *words = shlex.split(offer, comments=True)
        given = dict(word.split("=", 1) for word in words)
        assert compared(every, given["A"], given["B"], *filter(None, [given.get("ALLOW")])), offer
    text = "\n".join(offers)
    for kind in ("B=build=", "B=quantization=", "A=previous B=latest", "B=machine="):
        assert kind in text
    assert compare.offers([]) == []


def test_what_a_shell_would_take_apart_is_not_offered(one_run):
    every = renamed([*one_run, *again(one_run)], "model", "x")
    for record in every:
        for cell in (record["payload"].get("cell"), *record["payload"].get("cells", [])):
            if cell and cell["build"] == "lto":
                cell["build"] = "a $(b)"
    assert not [offer for offer in compare.offers(summary.runs(every)) if "$" in offer]


def test_what_differs_in_more_than_was_asked_for_is_refused_by_name(one_run):
    later = again(one_run)
    for record in later:
        if record["kind"] == "machine":
            record["payload"]["kernel"] = "9.9.9"
    with pytest.raises(CompareError, match=r"machine\.kernel: .* against '9\.9\.9'"):
        compared([*one_run, *later], "previous", "latest")
    assert compared([*one_run, *later], "previous", "latest", "machine.kernel")
    with pytest.raises(CompareError, match=r"machine\.kernel"):
        compared([*one_run, *later], "previous", "latest", "machine.kern")


def test_another_environment_is_another_thing_and_named(one_run):
    later = again(one_run)
    for record in later:
        if record["kind"] == "launch":
            record["payload"]["environment"] = {"LLAMA_ARG_CACHE_TYPE_K": "q8_0"}
    with pytest.raises(CompareError, match=r"environment\.LLAMA_ARG_CACHE_TYPE_K: nothing on record against 'q8_0'"):
        compared([*one_run, *later], "previous", "latest")
    assert compared([*one_run, *later], "previous", "latest", "environment")


@pytest.mark.parametrize(
    ("kind", "key", "value", "pinned"),
    [("build", "compiler", "c++ 99", "build=default"), ("model", "sha256", "0" * 64, "quantization=Q4_0")],
)
def test_what_both_sides_pin_may_not_differ(one_run, kind, key, value, pinned):
    later = again(one_run)
    for record in later:
        if record["kind"] == kind:
            record["payload"][key] = value
    with pytest.raises(CompareError, match=rf"{kind}\.{key}: "):
        compared([*one_run, *later], f"previous {pinned}", f"latest {pinned}")


def of_commit(one_run: list[Record], commit: str, compiler: str | None = None) -> list[Record]:
    later = again(one_run)
    for record in later:
        if record["kind"] == "build":
            build = record["payload"]
            build["source"] = {**(build.get("source") or {}), "commit": commit}
            build["cmake_arguments"] = [*build["cmake_arguments"], f"-DLLAMA_BUILD_COMMIT={commit}"]
            build["compiler"] = compiler or build["compiler"]
    return later


def test_commits_are_found_in_whatever_run_has_them_and_differ_in_nothing_else(one_run):
    old = "commit=0c1e57098 build=default"
    found = compared([*one_run, *of_commit(one_run, "feed")], old, "commit=feed build=default")
    assert [one.a.cell["build"] for one in found] == ["default"] * len(found)
    assert len(found) == 4
    with pytest.raises(CompareError, match=r"build\.compiler: "):
        compared([*one_run, *of_commit(one_run, "feed", "c++ 99")], old, "commit=feed build=default")
    with pytest.raises(CompareError, match="there is commit: 0c1e57098"):
        compared(one_run, "commit=dead", "latest")


def test_a_cell_that_b_has_no_figure_of_is_missing_and_not_passed_over(one_run):
    later = again(one_run)
    gone = next(record["payload"]["cell"] for record in later if record["kind"] == "launch")
    later = [one for one in later if one["kind"] != "launch" or one["payload"]["cell"] != gone]
    runs = summary.runs([*one_run, *later])
    lost = compare.lost(runs, "latest")
    assert [(run.run, cell) for run, cell in lost] == [("20261125T150000Z-0002", gone)]
    told = compare.lines(compare.told(compare.compare(runs, "previous", "latest"), lost))
    assert told[-2].startswith("  missing ")
    assert told[-1].endswith(", 1 missing")
    assert "B has no figure of it" in told[-3]
    assert compare.lost(runs, f"build={gone['build']}", "build=default") == lost
    assert compare.lost(runs, "latest", "machine=another") == []
    assert compare.lost(runs, "previous") == []


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("colour=red", "latest", "'colour=red' selects nothing: write key=value"),
        ("build=", "latest", "'build=' selects nothing"),
        ("build=default build=lto", "latest", "build is asked for twice"),
        ("build=nothing", "latest", "nothing is selected by build=nothing; there is build: default, "),
        ("20990101T000000Z-dead", "latest", "no run with launches is selected by run=20990101T000000Z-dead; the runs"),
        ("previous", "latest", "no run with launches"),
        ("test=pp512 build=lto", "test=tg128 build=lto", "no cell of B"),
        ("latest", "latest", "no cell of B"),
    ],
)  # fmt: skip
def test_a_selection_that_says_nothing_is_refused(one_run, a, b, words):
    with pytest.raises(CompareError, match=words):
        compared(one_run, a, b)


def test_selections():
    assert parse_selection("latest build=a, threads=4") == {"run": "latest", "build": "a", "threads": "4"}
    assert parse_selection("") == {}


def test_two_machines_are_never_ranked_by_one_instance_each(one_run):
    other = copy.deepcopy(one_run)
    for record in other:
        record["machine"] = "gv4-c8g-16xlarge"
    found = compared([*one_run, *other], f"machine={side_by_side.MACHINE}", "machine=gv4-c8g-16xlarge")
    assert {one.verdict.word for one in found} == {"informational"}


def test_the_page_side_by_side_says_what_the_comparison_says(one_run):
    for record in one_run:
        if record["kind"] == "launch" and record["payload"]["cell"]["build"] == "no-repack":
            # Some launches are slower for a reason of their own, so that a p-value has digits.
            speed = record["payload"]["metrics"][summary.speed_of(record["payload"]["cell"])]
            speed["value"] *= 1 + 0.03 * (record["payload"]["block"] % 3)
    told = compared(one_run, "build=default quantization=Q4_0", "build=no-repack quantization=Q4_0")
    page = pages.render(one_run)[side_by_side.PAGE]
    assert len(told) == len(side_by_side.TESTS)
    for each in told:
        ratio = each.verdict.ratio
        bounds = f"{ratio.low:.3f}\u00a0to\u00a0{ratio.high:.3f}"
        assert f"**{each.verdict.word}**, {ratio.mean:.3f} times as fast ({bounds}), q={each.q:.2g}" in page


def test_nothing_on_record_is_no_comparison():
    with pytest.raises(CompareError, match="the runs are none"):
        compared([], "latest", "latest")


def test_only_what_compares_needs_scipy(one_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(CompareError, match="a comparison needs SciPy"):
        compared([*one_run, *again(one_run)], "previous", "latest")
    beside = pages.render(one_run)[side_by_side.PAGE]
    assert "**slower**, 0." in beside
    assert ", q=" not in beside
    with pytest.raises(pages.ReportError, match="what has changed since the run before: a comparison needs SciPy"):
        pages.render([*one_run, *again(one_run, factor=0.9)])


# ---- Duets ----

DEFAULT, NO_REPACK, LTO, *_OTHERS = side_by_side.COMBINATIONS
APART = [1.031, 1.029, 1.030, 1.032, 1.028, 1.030]


def test_what_was_measured_in_a_duet_is_judged_by_it(one_run):
    every = [*one_run, *side_by_side.duets(one_run, DEFAULT, LTO, "tg128", APART)]
    assert [records.decode(json.dumps(record).encode()) for record in every if record["kind"] == "duet"]
    prompt, generation = compared(every, "build=default quantization=Q4_0", "build=lto quantization=Q4_0")
    # By blocks the two are equal.
    assert (prompt.duet, prompt.verdict.word) == (None, "equal")
    assert (generation.verdict.word, generation.verdict.ratio.n) == ("faster", 6)
    assert generation.verdict.ratio.mean == pytest.approx(1.03, abs=1e-4)
    of_prompt, of_generation = compare.told([prompt, generation])
    assert "in a duet, 32 threads each" in of_generation.sentence
    assert "1.030x (1.029 to 1.031, n=6)" in of_generation.sentence
    # Levels are those of launches alone on the machine.
    assert "43.43 -> 43.41 token/s" in of_generation.sentence
    assert "duet" not in of_prompt.sentence
    assert compare.lines([of_prompt, of_generation])[-1] == "B against A: 1 faster, 1 equal"


def test_a_duet_is_turned_over_with_the_selections(one_run):
    every = [*one_run, *side_by_side.duets(one_run, DEFAULT, LTO, "tg128", [*APART, 0])]
    _prompt, generation = compared(every, "build=lto quantization=Q4_0", "build=default quantization=Q4_0")
    assert generation.verdict.word == "slower"
    assert generation.verdict.ratio.mean == pytest.approx(1 / 1.03, abs=1e-4)
    assert generation.duet.b["build"] == "default"


def test_quantizations_in_a_duet_and_pairs_that_were_spoiled(one_run):
    other = side_by_side.COMBINATIONS[-1]
    every = [*one_run, *side_by_side.duets(one_run, DEFAULT, other, "pp512", [0.8, 0, 0.81, 0.79, 0.8, 0.8, 0, 0.8])]
    a, b = "quantization=Q4_0 build=default", "quantization=Q4_K_M build=default"
    prompt = compared(every, a, b)[0]
    assert (prompt.verdict.word, prompt.duet.verdict.ratio.n) == ("slower", 6)
    assert (len(prompt.duet.pairs), prompt.duet.accompanied) == (8, 6)


@pytest.mark.parametrize("ratios", [[1.03] * 5, [1.03] * 5 + [0] * 20])
def test_a_few_pairs_decide_nothing_and_the_blocks_do(one_run, ratios):
    every = [*one_run, *side_by_side.duets(one_run, DEFAULT, LTO, "tg128", ratios)]
    found = compared(every, "build=default quantization=Q4_0", "build=lto quantization=Q4_0")
    assert [(one.duet, one.verdict.word) for one in found] == [(None, "equal")] * 2


def test_the_duets_of_one_run_say_nothing_of_two(one_run):
    every = [*one_run, *again(one_run), *side_by_side.duets(one_run, DEFAULT, LTO, "tg128", APART)]
    a, b = f"run={side_by_side.RUN} build=default", "run=20261125T150000Z-0002 build=lto"
    assert {one.duet for one in compared(every, a, b)} == {None}
