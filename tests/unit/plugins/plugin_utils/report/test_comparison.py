# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantizations and builds side by side: one run, paired by block, and never more said than the pairs establish."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from support.records import side_by_side
from support.records.side_by_side import COMBINATIONS, MACHINE, MODEL, PAGE, RUN

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import parts

Record = dict[str, Any]

LATER = "20261125T150000Z-aaaa"
Q4, NO_REPACK, LTO, LEGACY, Q4_K_M = COMBINATIONS


def test_a_variant_stands_beside_the_defaults_by_its_settings():
    every = side_by_side.as_variant(side_by_side.records((Q4, NO_REPACK)), "no-repack", "fa=off+ubatch=256")
    text = report.render(every)[PAGE]
    assert "| Quantization | Build, settings |" in text
    assert "| default, fa=off+ubatch=256 |" in text
    assert text.partition("\n# ")[2].startswith(f"Quantizations, builds and settings of {MODEL} side by side")
    assert "**Q4_0 in build default, fa=off+ubatch=256** against default" in text
    one = report.render(every)[PAGE.replace("README.md", "q4.md")]
    assert "| default, fa=off+ubatch=256 |" in one
    assert "Build, settings" not in report.render(side_by_side.records())[PAGE]


def test_many_cells_that_failed_of_one_cause_are_one_item():
    cells = [side_by_side.cell(Q4, test) for test in ("pp512", "tg128")] * 3
    payload = {"phase": "measure", "cause": "the kernel gives none", "advice": "Leave it out.", "detail": {}}
    failures = [([], {"payload": {**payload, "cell": cell}}) for cell in cells]
    failures.append(([], {"payload": {**payload, "cause": "another", "cell": None}}))
    first, second = parts.failure_items(failures)
    assert first.startswith("phase measure, 6 cells (pp512, 64 threads, build default; tg128, 64 threads")
    assert "; and 3 more cells): the kernel gives none<br>**To do:** Leave it out." in first
    assert second.startswith("phase measure, the whole host: another")


def launches(some: list[Record], quantization: str, build: str, test: str) -> list[Record]:
    """Return the launch records of one cell."""
    wanted = (quantization, build, test)
    return [
        record
        for record in some
        if record["kind"] == "launch"
        and tuple(record["payload"]["cell"][name] for name in ("quantization", "build", "test")) == wanted
    ]


def with_speeds(
    some: list[Record], build: str, test: str, of: Callable[[float], float], quantization: str = "Q4_0"
) -> None:
    """Replace the speeds of a cell by those `of` the block's speed of the same test of Q4_0 in default."""
    name = "pp_tps" if test.startswith("pp") else "tg_tps"
    base = {
        record["payload"]["block"]: record["payload"]["metrics"][name]["value"]
        for record in launches(some, "Q4_0", "default", test)
    }
    for record in launches(some, quantization, build, test):
        payload = record["payload"]
        payload["metrics"][name] = {"value": of(base[payload["block"]]), "unit": "token/s"}


def verdicts(page: str) -> list[str]:
    """Return the sentences that stand before the first section."""
    return [line for line in page.split("\n## ", 1)[0].splitlines() if line.startswith("- ")]


def verdict(page: str, start: str) -> str:
    """Return the one sentence before the first section that begins with `start`."""
    (found,) = [line for line in verdicts(page) if line.startswith(f"- {start}")]
    return found


def table(page: str, heading: str) -> list[dict[str, str]]:
    """Return the lines of the table under a heading of level 3, by column."""
    block = page.split(f"### {heading}\n\n", 1)[1].split("\n\n", 1)[0]
    titles, _rule, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
    return [dict(zip(titles, line, strict=True)) for line in lines]


def line_of(page: str, heading: str, build: str, quantization: str = "Q4_0") -> dict[str, str]:
    (found,) = [
        line
        for line in table(page, heading)
        if line["Build"] == build and line["Quantization"].startswith(f"[{quantization}]")
    ]
    return found


def render(some: list[Record]) -> str:
    return report.render(some)[PAGE]


def test_the_page_exists_for_more_than_one_combination_and_is_linked() -> None:
    pages = report.render(side_by_side.records())
    assert f"](../{PAGE})" in pages[f"models/{MODEL}.md"]
    for name in ("q4", "q4-088", "q4-k-m"):
        assert "[Side by side](README.md)" in pages[f"{MACHINE}/{MODEL}/{name}.md"]
        assert f"]({name}.md)" in pages[PAGE]
    alone = side_by_side.records((Q4,))
    few = [f"{MACHINE}/{MODEL}/q4.md", f"{MACHINE}/README.md", f"models/{MODEL}.md", "calibration.md", "README.md"]
    assert list(report.render(alone)) == few
    assert "ide by side" not in "".join(report.render(alone).values())


@pytest.mark.parametrize("pair", [(Q4, NO_REPACK), (Q4, Q4_K_M)], ids=["builds", "quantizations"])
def test_a_promised_comparison_is_made(pair: tuple[side_by_side.Combination, ...]) -> None:
    some = side_by_side.records(pair)
    (plan,) = [record for record in some if record["kind"] == "run"]
    assert PAGE in report.promised_pages(plan)
    # Of predictions nobody promised anything.
    assert set(report.promised_pages(plan)) == set(report.render(some)) - {"calibration.md"}
    planned_only = report.render([plan])
    assert set(report.promised_pages(plan)) == set(planned_only)
    assert "**MISSING**" in planned_only[PAGE]
    assert "no two combinations were measured" in planned_only[PAGE]


def test_two_models_are_two_pages_or_none() -> None:
    some = side_by_side.records((Q4,))
    other = side_by_side.records((Q4_K_M,))
    for record in other:
        for cell in [*record["payload"].get("cells", []), record["payload"].get("cell") or {}]:
            if "model" in cell:
                cell["model"] = "another"
    assert not [path for path in report.render([*some, *other]) if path.endswith("/README.md") and path.count("/") > 1]


def test_a_page_that_no_record_supports_any_more_is_removed(tmp_path: Path) -> None:
    report.write(tmp_path, report.render(side_by_side.records()))
    assert (tmp_path / PAGE).is_file()
    changed = report.write(tmp_path, report.render(side_by_side.records((Q4,))))
    assert PAGE in changed
    assert not (tmp_path / PAGE).exists()
    (tmp_path / PAGE).write_text("# My own words\n")
    report.write(tmp_path, report.render([]))
    assert (tmp_path / PAGE).read_text() == "# My own words\n"


def test_runs_are_never_pooled_and_the_last_that_compares_stays() -> None:
    first = side_by_side.records()
    alone = render(first)
    later = report.render([*first, *side_by_side.records((Q4,), LATER)])
    since = f"Measured since, one combination alone, so not compared here: [{LATER}](../records/{LATER}.jsonl)."
    assert since in later[PAGE]
    assert later[PAGE].replace(f"{since} The page of the quantization has it.\n\n", "") == alone
    assert f"run {LATER}" in later[f"{MACHINE}/{MODEL}/q4.md"]
    both = report.render([*first, *side_by_side.records((Q4, LTO), LATER)])[PAGE]
    assert f"run {LATER}" in both
    assert RUN not in both
    assert "Q4_K_M" not in both


def test_the_predecessors_comparison_comes_first() -> None:
    page = render(side_by_side.records())
    said = verdicts(page)
    assert page.index("`q4.md` against `q4-088.md`") < page.index(said[0])
    assert said[0].startswith("- Generation (tg128, 64 threads): Q4_0 in build default 43.")
    assert "(q4_0_8x8, as expected), Q4_0_8_8 in build legacy 44." in said[0]
    assert "(q4_0_8x8 in the file, as expected). Today's Q4_0: **slower**, 0.97" in said[0]
    assert re.search(r"Q4_0: \*\*equal\*\*, 1\.01\d times as fast \(1\.0\d+.to.1\.0\d+\), q=[\d.e-]+\.$", said[1])


def test_without_todays_figure_the_page_says_so() -> None:
    page = render(side_by_side.records((LEGACY, Q4_K_M)))
    assert verdicts(page)[0] == ("- Q4_0 was not measured in the build default, so there is no today's figure.")


def test_the_file_type_that_is_compared_with_is_whichever_was_measured() -> None:
    other = LEGACY._replace(quantization="Q4_0_4_8", tensors={"Q4_0_4X8": 225})
    some = side_by_side.records((Q4, LEGACY))
    for record in side_by_side.records((Q4, LEGACY)):
        if record["kind"] == "launch":
            record["payload"]["cell"]["quantization"] = other.quantization
            some += [record] if record["payload"]["cell"]["build"] == "legacy" else []
    assert [line.count("Q4_0_4_8 in build legacy") for line in verdicts(render(some))] == [1, 0, 1, 0]


def test_ratios_are_paired_by_block() -> None:
    # Speeds that swing by 40 % between blocks, always in the ratio 1.03: only pairs can tell.
    some = side_by_side.records((Q4, LTO))
    for record in launches(some, "Q4_0", "default", "tg128"):
        record["payload"]["metrics"]["tg_tps"]["value"] = 40.0 + 4 * record["payload"]["block"]
    with_speeds(some, "lto", "tg128", lambda speed: 1.03 * speed)
    page = render(some)
    assert line_of(page, "Generation, tg128", "lto")["Ratio"].startswith(
        "1.030<br><sub>1.030\u00a0to\u00a01.030</sub><br><sub>faster, q="
    )
    assert "**faster**, 1.030 times as fast" in verdict(page, "**Q4_0 in build lto**")
    shuffled = launches(some, "Q4_0", "lto", "tg128")
    for record, block in zip(shuffled, (4, 5, 6, 1, 2, 3), strict=True):
        record["payload"]["block"] = block
    assert "\\~" in line_of(render(some), "Generation, tg128", "lto")["Ratio"]


def test_a_difference_that_is_not_established_is_not_called_one() -> None:
    some = side_by_side.records((Q4, LTO))
    noise = iter([0.97, 1.03, 1.01, 0.98, 1.04, 0.99])
    with_speeds(some, "lto", "tg128", lambda speed: speed * next(noise))
    page = render(some)
    ratio = line_of(page, "Generation, tg128", "lto")["Ratio"]
    low, high = map(float, re.findall(r"<sub>([\d.]+)\u00a0to\u00a0([\d.]+)</sub>", ratio)[0])
    assert low < 1 < high
    assert "\u00a0\\~<br>" in ratio
    said = verdict(page, "**Q4_0 in build lto**")
    assert "generation (tg128, 64 threads) **undecided** (\\~)" in said


def test_below_two_pairs_there_is_no_ratio() -> None:
    some = [r for r in side_by_side.records((Q4, LTO)) if r["kind"] != "launch" or r["payload"]["block"] == 1]
    page = render(some)
    assert line_of(page, "Generation, tg128", "lto")["Ratio"] == "N/A<br><sub>1 block</sub>"
    assert "ratio N/A, because a single block has both undisturbed" in verdict(page, "**Q4_0 in build lto**")
    for record in launches(some, "Q4_0", "lto", "tg128"):
        record["payload"]["block"] = 2
    page = render(some)
    assert line_of(page, "Generation, tg128", "lto")["Ratio"] == "N/A"
    assert "ratio N/A, because no block has both undisturbed" in verdict(page, "**Q4_0 in build lto**")
    for record in launches(some, "Q4_0", "lto", "tg128"):
        del record["payload"]["block"]
    assert line_of(render(some), "Generation, tg128", "lto")["Ratio"] == "N/A"


def test_bounds_that_say_nothing_are_not_written_out() -> None:
    some = [r for r in side_by_side.records((Q4, LTO)) if r["kind"] != "launch" or r["payload"]["block"] <= 2]
    speeds = iter([20.0, 60.0])
    with_speeds(some, "lto", "tg128", lambda _speed: next(speeds))
    ratio = line_of(render(some), "Generation, tg128", "lto")["Ratio"]
    assert re.fullmatch(r"0\.\d+\u00a0\\~<br><sub>over a factor of 100 wide</sub><br><sub>informational</sub>", ratio)


def test_fewer_pairs_than_launches_are_counted() -> None:
    some = side_by_side.records((Q4, LTO))
    some.remove(launches(some, "Q4_0", "lto", "tg128")[2])
    assert line_of(render(some), "Generation, tg128", "lto")["Ratio"].endswith("<br><sub>5 blocks</sub>")


@pytest.mark.parametrize("build", ["default", "no-repack"], ids=["the reference", "the row"])
def test_a_ratio_of_too_few_undisturbed_blocks_establishes_nothing(build: str) -> None:
    some = side_by_side.records((Q4, NO_REPACK))
    launches(some, "Q4_0", build, "tg128")[3]["payload"]["validity"] = {"state": "INVALID", "reasons": ["steal"]}
    page = render(some)
    assert line_of(page, "Generation, tg128", "no-repack")["Ratio"].endswith(
        "<br><sub>informational</sub><br><sub>5 blocks</sub>"
    )
    generation, prompt = verdict(page, "**Q4_0 in build no-repack**").split("; prompt processing")
    assert "generation (tg128, 64 threads) **informational** (\\~), 0." in generation
    assert page.index("establishes nothing") < page.index("## Side by side")
    assert "slower" not in generation
    assert "**slower**" in prompt
    assert line_of(page, "Generation, tg128", build)["Validity"] == (
        "**UNSTABLE**<br><sub>1 of 6 launches disturbed and left out</sub>"
    )


def test_emulated_figures_get_no_verdict_and_are_named_in_every_table() -> None:
    some = side_by_side.records()
    for record in some:
        if record["kind"] in ("run", "machine"):
            record["payload"]["emulated"] = True
    pages = report.render(some)
    page = pages[PAGE]
    assert "Emulated processor:" in page
    assert "No verdict on speed" in page
    assert "as expected in 8 of 10 cells" in page
    assert not verdicts(page)
    for heading in ("Generation, tg128", "Prompt processing, pp512"):
        titles = set(table(page, heading)[0])
        assert {"token/s, emulated", "Ratio, emulated", "Peak RSS, emulated\u00a0GiB"} <= titles
    index = pages["README.md"]
    assert "emulated" in next(line for line in index.splitlines() if "build no-repack (" in line)
    assert f"]({PAGE})" in index


def test_ratios_refer_to_q4_0_in_default_with_the_same_threads_else_to_the_first_row() -> None:
    some = side_by_side.records((Q4, LTO, Q4_K_M))
    for record in some:
        cell = record["payload"].get("cell")
        # A second thread count that Q4_0 in default does not have.
        if cell and (cell["quantization"], cell["build"]) != ("Q4_0", "default") and record["payload"]["block"] > 3:
            cell["threads"] = 32
    page = render(some)
    rows = table(page, "Generation, tg128")
    assert [(row["Threads"], row["Build"], row["Ratio"] == "reference") for row in rows] == [
        ("32", "lto", True),
        ("32", "default", False),
        ("64", "default", True),
        ("64", "lto", False),
        ("64", "default", False),
    ]
    assert "Ratio: to Q4_0 in build lto with 32 threads; to Q4_0 in build default with 64 threads." in page


def test_builds_without_default_are_compared_with_the_first() -> None:
    page = render(side_by_side.records((LTO, NO_REPACK)))
    assert "**Q4_0 in build no-repack** against lto: generation" in page
    assert "Ratio: to Q4_0 in build lto, with as many threads." in page


def test_a_row_says_what_it_cost_and_which_kernels_it_used() -> None:
    page = render(side_by_side.records())
    row = line_of(page, "Generation, tg128", "default")
    assert row["Peak RSS\u00a0GiB"] == (
        "8.61<br><sub>model\u00a04.33</sub><br><sub>repack\u00a03.90</sub><br><sub>file\u00a04.33</sub>"
    )
    assert row["Kernel path"] == (
        "q4_0_8x8<br><sub>224 of 225 Q4_0</sub><br><sub>not repacked: 1\u00a0Q6_K</sub><br>as expected"
    )
    assert "repack" not in line_of(page, "Generation, tg128", "legacy", "Q4_0_8_8")["Peak RSS\u00a0GiB"]
    assert line_of(page, "Generation, tg128", "no-repack")["Kernel path"] == (
        "not repacked<br><sub>225\u00a0Q4_0, 1\u00a0Q6_K</sub><br>**FALLBACK**"
    )


def test_a_fallback_is_loud_with_its_remedy() -> None:
    page = render(side_by_side.records())
    caution = page.split("> [!CAUTION]\n", 1)[1].split("\n\n", 1)[0]
    assert "Q4_0 in build no-repack (pp512 at 64 threads, tg128 at 64 threads)" in caution
    assert "**To do:** That is this build's purpose; for speed measure the build `default`." in caution
    assert page.count("[!CAUTION]") == 1
    assert page.index("[!CAUTION]") < page.index("## Side by side")


def test_a_fallback_of_todays_q4_0_stands_in_the_verdict() -> None:
    fallen = Q4._replace(types={}, state="fallback", why="Q4_0 should be repacked", remedy="Build again.")
    said = verdicts(render(side_by_side.records((fallen, LEGACY))))
    assert "(not repacked, **FALLBACK**)" in said[0]


def test_a_failure_of_the_run_is_on_the_page() -> None:
    some = side_by_side.records()
    for quantization, build, test in (("Q4_0_8_8", "legacy", "tg128"), ("Q4_0_8_8", "legacy", "pp512")):
        for record in launches(some, quantization, build, test):
            some.remove(record)
    cell = side_by_side.cell(LEGACY, "tg128")
    failure = dict(some[0], kind="failure", payload={
        "phase": "measure", "cause": "llama-bench died", "advice": "Read it.", "cell": cell, "detail": {},
    })  # fmt: skip
    page = render([*some, failure])
    assert "- Q4_0_8_8, phase measure, tg128, 64 threads, build legacy: llama-bench died<br>**To do:** Read it." in page
    assert line_of(page, "Generation, tg128", "legacy", "Q4_0_8_8")["Validity"].startswith("**MISSING**")
    assert "predecessor" not in page
    whole = dict(failure, payload=dict(failure["payload"], cell=None, cause="the host went away"))
    assert render([*some, whole]).count("the host went away") == 1


def test_builds_are_told_apart_by_source_and_flags() -> None:
    builds = render(side_by_side.records()).split("## Builds\n", 1)[1]
    assert "| legacy | llama-cpp-python 0.3.0<br>`ea9c32be71b9` |" in builds
    assert builds.count("<sub>cross, on the controller, for neoverse-v1</sub>") == 4


def test_a_hostile_name_of_a_build_stays_text() -> None:
    text = "</td>|<script>x</script>\n# h\n[a](javascript:b) `c` ~~d~~"
    some = side_by_side.records()
    for record in some:
        for cell in [*record["payload"].get("cells", []), record["payload"].get("cell") or {}]:
            if cell.get("build") == "lto":
                cell["build"] = text
            elif cell.get("build") == "default":
                cell["build"] = "default" + text
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(render(some))
    inline = [child for token in tokens for child in token.children or []]
    raw = "".join(token.content for token in [*tokens, *inline] if token.type in ("html_block", "html_inline"))
    raw = re.sub(r'alt="[^"<>]*"', "", raw)
    assert set(re.findall(r"</?([a-zA-Z]+)", raw)) <= {"sub", "br", "b", "span", "picture", "source", "img"}
    assert not [token for token in inline if token.type == "s_open"]
    assert all(str(token.attrGet("href")).endswith((".md", ".jsonl")) for token in inline if token.type == "link_open")
    assert len([token for token in tokens if token.tag == "h1" and token.type == "heading_open"]) == 1


def test_the_ratio_is_what_its_definition_says() -> None:
    (run,) = summary.runs(side_by_side.records((Q4, LTO)))
    rows = summary.rows(run, summary.cells(run))
    speeds = [row for row in rows if row.speed == "tg_tps"]
    default, lto = sorted(speeds, key=lambda row: row.cell["build"])
    ratio = compare.within_blocks(default, lto).ratio
    assert ratio is not None
    assert default.interval is not None
    assert lto.interval is not None
    # With complete blocks the paired mean is the ratio of the means; the interval is what pairing narrows.
    assert ratio.mean == pytest.approx(lto.interval.mean / default.interval.mean, rel=1e-12)
    assert ratio.half_width_percent is not None
    assert default.interval.half_width_percent is not None
    assert ratio.half_width_percent < default.interval.half_width_percent / 4
    back = compare.within_blocks(lto, default).ratio
    assert back is not None
    assert back.low is not None
    assert back.low * (ratio.high or 0) == pytest.approx(1, rel=1e-12)


def test_duets_stand_in_a_table_of_their_own_and_change_no_level() -> None:
    records = side_by_side.records()
    alone = report.render(records)[PAGE]
    told = side_by_side.duets(records, Q4, LTO, "tg128", [1.031, 1.029, 1.030, 0, 1.032, 1.028, 1.030])
    page = report.render([*records, *told])[PAGE]
    section = page.partition("\n## Duets\n")[2].partition("\n## ")[0]
    assert "each on half of the cores" in section
    (line,) = [line for line in section.splitlines() if line.startswith("| tg128")]
    cells = [re.sub(r"<br>|</?sub>|\u00a0", " ", cell).strip() for cell in line.strip("|").split("|")]
    assert cells[:4] == ["tg128", "32", "Q4_0 in build default", "Q4_0 in build lto"]
    assert re.sub(" +", " ", cells[4]) == "1.0300 1.0285 to 1.0315"
    assert re.sub(" +", " ", cells[5]) == "6 and 1 spoiled 6 in company"
    assert cells[6].startswith("faster in a duet")
    assert "## Duets" not in alone
    assert page.replace(f"\n## Duets\n{section}", "") == alone
