# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pages say of kernels, builds and processors: a fallback loudly, what is not known quietly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.records import side_by_side
from support.records.side_by_side import COMBINATIONS, MACHINE, MODEL

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import kernel_path
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, schema

Record = dict[str, Any]

Q4, NO_REPACK, LTO, LEGACY, Q4_K_M = COMBINATIONS
PAGE = f"{MACHINE}/{MODEL}/q4.md"
LEGACY_PAGE = f"{MACHINE}/{MODEL}/q4-088.md"
KLEIDIAI = {"name": "CPU_KLEIDIAI", "use": "model", "bytes": 2212495}


def page_of(*combinations: side_by_side.Combination, path: str = PAGE) -> str:
    return report.render(side_by_side.records(combinations))[path]


def facts(page: str, title: str) -> dict[str, str]:
    """Return the table that begins with the two cells of `title`, by its first column."""
    block = page.split(f"| {title} |\n", 1)[1].split("\n\n", 1)[0]
    rows = [line.strip("|").split("|") for line in block.splitlines()[1:]]
    return {row[0].strip(): row[1].strip() for row in rows}


def test_the_kernel_path_is_a_key_figure_with_its_state() -> None:
    page = page_of(Q4)
    row = next(line for line in page.splitlines() if line.startswith("| Kernel path |"))
    assert row == "| Kernel path | q4_0_8x8 (224 of 225 Q4_0)<br>not repacked (1\u00a0Q6_K) |  | as expected |"
    assert "[!CAUTION]" not in page
    assert "FALLBACK" not in page


@pytest.mark.parametrize(
    ("kernel", "shown"),
    [
        ({"repack": {"q4_0_8x8": 1}}, "q4_0_8x8 (1 tensor)"),
        ({"repack": {"q4_0_8x8": 3, "q6_K_8x8": 2}}, "q4_0_8x8 (3 tensors), q6_K_8x8 (2 tensors)"),
        ({"repack": {}}, "no repacking"),
        ({"repack": {"q4_0_8x8": 3}, "types": {"Q4_0": {"q4_0_8x8": 3}}, "tensors": {}}, "q4_0_8x8 (3 tensors)"),
        ({"types": {"Q4_0": {"q4_0_8x8": 3}}, "tensors": {"F32": 5}}, "q4_0_8x8 (3 Q4_0)"),
        ({"types": {}, "tensors": {"F32": 5, "Q4_0_4X8": 1}}, "q4_0_4x8 in the file (1 tensor)"),
        (
            {"repack": {"at run time": 112}, "types": {}, "tensors": {"F32": 34, "Q4_0": 112}},
            "repacked at run time (112 tensors)",
        ),
        (
            {
                "buffers": [KLEIDIAI],
                "repack": {"q6_K_8x8": 1},
                "types": {"Q6_K": {"q6_K_8x8": 1}},
                "tensors": {"F32": 10, "Q4_0": 28, "Q6_K": 1},
            },
            "kleidiai (Q4_0, tensors not named)<br>q6_K_8x8 (1 of 1 Q6_K)",
        ),
        (
            {"buffers": [KLEIDIAI], "repack": {}, "types": {}, "tensors": {"F32": 10, "Q4_1": 2, "Q8_0": 29}},
            "kleidiai (Q8_0, tensors not named)<br>not repacked (2\u00a0Q4_1)",
        ),
        ({"types": {}, "tensors": {"F32": 5}}, None),
        ({"types": {"Q4_0": {}}, "tensors": {"F32": 5}}, None),
        ({}, None),
    ],
)
def test_layouts_of_every_form_of_a_record(kernel: dict[str, Any], shown: str | None) -> None:
    some = side_by_side.records((Q4,))
    for record in some:
        if record["kind"] == "launch":
            record["payload"]["kernel"] = kernel
    page = report.render(some)[PAGE]
    rows = [line for line in page.splitlines() if line.startswith("| Kernel path |")]
    assert rows == ([f"| Kernel path | {shown} |  |  |"] if shown else [])


def test_a_fallback_stands_at_the_top_of_the_page_once_with_its_cells_and_remedy() -> None:
    page = page_of(Q4, NO_REPACK)
    assert page.index("[!CAUTION]") < page.index("| Figure |")
    assert page.count("[!CAUTION]") == 1
    assert (
        "> **FALLBACK**, not the kernels expected of this processor: build no-repack (pp512 at 64 threads, tg128 at 64 "
        "threads).<br>Q4_0 should be repacked to q4_0_8x8: not repacked at all; the build option GGML_CPU_REPACK is "
        "off.<br>**To do:** That is this build's purpose; for speed measure the build `default`.\n"
    ) in page
    assert "not repacked<br><sub>225\u00a0Q4_0, 1\u00a0Q6_K</sub><br>**FALLBACK** |" in page


def test_each_distinct_fallback_has_a_line_of_its_own() -> None:
    other = LTO._replace(types={}, state="fallback", why="llama-bench was told --repack 0", remedy=None)
    page = page_of(Q4, NO_REPACK, other)
    assert page.count("[!CAUTION]") == 2
    assert "build lto (pp512 at 64 threads, tg128 at 64 threads).<br>llama-bench was told --repack 0.\n" in page


def test_one_launch_that_fell_back_is_enough() -> None:
    some = side_by_side.records((Q4,))
    path = next(r["payload"]["kernel"]["path"] for r in some if r["kind"] == "launch")
    path.update(state="fallback", why="Q4_0 is repacked to q4_0_4x4 instead of q4_0_8x8", remedy="Build it again.")
    page = report.render(some)[PAGE]
    assert "processor: pp512 at 64 threads.<br>Q4_0 is repacked to q4_0_4x4 instead of q4_0_8x8.<br>" in page
    assert page.count("**FALLBACK**") == 3  # the alert, the key figures, the row of the table


def test_many_cells_are_counted() -> None:
    some = side_by_side.records((Q4, NO_REPACK))
    for record in some:
        if record["kind"] == "launch" and record["payload"]["block"] > 3:
            record["payload"]["cell"]["threads"] = 32
    assert "build no-repack (all 4 cells)" in report.render(some)[PAGE]


def test_what_is_not_known_is_a_quiet_note() -> None:
    why = "the log of llama-bench names no tensors"
    page = page_of(Q4._replace(state="unknown", why=why, remedy="Check that the build is llama.cpp's."))
    assert "[!CAUTION]" not in page
    assert f"- Kernel path, pp512 at 64 threads, tg128 at 64 threads: The {why[4:]}.\n" in page
    assert page.index("- Kernel path, ") < page.index("## Throughput")
    assert "| unknown |" in page
    assert "Kernel path, " not in page_of(Q4)
    silent = page_of(Q4._replace(state="unknown"))
    assert "Kernel path, " not in silent


def test_a_state_that_this_version_does_not_know_is_unknown() -> None:
    page = page_of(Q4._replace(state="partly"))
    assert "| unknown |" in page
    assert "partly" not in page


def test_fallbacks_are_named_in_the_row_of_the_models_page_and_in_a_section_of_the_index() -> None:
    index = report.render(side_by_side.records())["README.md"]
    of_model = report.render(side_by_side.records())[f"models/{MODEL}.md"]
    assert (
        "[Q4_0](../gv3-c7g-16xlarge/llama-3.1-8b-synthetic/q4.md)<br>**FALLBACK**<br><sub>build no-repack</sub> |"
        in (of_model)
    )
    section = index.split("## Fallbacks\n", 1)[1].split("\n## ", 1)[0]
    assert "1 fallback in the latest runs" in section
    assert f"[{MODEL} Q4_0]({PAGE}), build no-repack (" in section
    assert "**To do:** That is this build's purpose" in section
    assert "FALLBACK" not in report.render(side_by_side.records((Q4, LTO)))["README.md"]
    assert "## Fallbacks" not in report.render(side_by_side.records((Q4, LTO)))["README.md"]


def test_a_fallback_of_an_earlier_run_is_history() -> None:
    fallen = Q4._replace(types={}, state="fallback", why="it did", remedy="Build again.")
    earlier = side_by_side.records((fallen,), "20261101T150000Z-0001")
    pages = report.render([*earlier, *side_by_side.records((Q4,))])
    assert "FALLBACK" not in "".join(pages.values())


def test_a_build_says_where_and_how_it_was_compiled() -> None:
    build = facts(page_of(Q4), "Build | default")
    assert build["Compiled"] == "cross, on the controller, for neoverse-v1"
    assert build["Core"] == "`neoverse-v1`"
    assert build["-march"] == "`armv8.4-a+sve+i8mm+bf16+dotprod+fp16`"
    assert build["Flags of the kernels"] == "`-O3 -march=armv8.4-a+sve+i8mm+bf16+dotprod+fp16`"
    assert "Reads of the removed types" not in build
    legacy = facts(page_of(LEGACY, path=LEGACY_PAGE), "Build | legacy")
    assert legacy["Reads of the removed types"] == "Q4_0_4_4, Q4_0_4_8, Q4_0_8_8"
    some = side_by_side.records((Q4,))
    for record in some:
        if record["kind"] == "build":
            record["payload"].update(way="native", core=None)
    native = facts(report.render(some)[PAGE], "Build | default")
    assert native["Compiled"] == "natively, on the host"
    assert "Core" not in native


def test_a_build_says_whose_code_it_is_under_which_licence_and_from_whom() -> None:
    some = side_by_side.records((Q4,))
    for record in some:
        if record["kind"] == "build":
            record["payload"].update(
                engine="ik_llama.cpp", licence="MIT", provenance=["an sdist, by somebody", "kernels, by another"]
            )
            record["payload"]["source"]["digest"] = "pinned at first sight"
    build = facts(report.render(some)[PAGE], "Build | default")
    assert (build["Engine"], build["Licence"]) == ("ik_llama.cpp", "MIT")
    assert build["Provenance"] == "an sdist, by somebody<br>kernels, by another"
    assert build["Digest"] == "pinned at first sight"
    assert not {"Engine", "Licence", "Provenance", "Digest"} & set(facts(page_of(Q4), "Build | default"))


def test_what_a_compiler_costs_is_a_warning() -> None:
    page = page_of(Q4, LTO)
    build = page.split("| Build | lto |", 1)[1]
    assert "> [!WARNING]\n> GCC 12 knows no `neoverse-v2`, GCC 13 does: built for `armv8.4-a` instead" in build
    assert "[!WARNING]" not in page.split("| Build | lto |", 1)[0]


def test_a_machine_says_how_it_was_recognised_and_that_bandwidth_is_theory() -> None:
    machine = facts(page_of(Q4), f"Machine | {MACHINE}")
    assert machine["Recognised as"] == "Graviton3, Arm Neoverse V1, by instance type c7g.16xlarge"
    assert machine["Vectors"] == "SVE, 256 bits, with i8mm and bf16; SVE vectors of 32 bytes here"
    assert machine["Memory bandwidth"] == "307.2\u00a0GB/s, theoretical (catalog), not measured"
    assert machine["CPU implementer"] == "0x41"
    assert machine["Instance"] == "c7g.16xlarge, i-0123456789abcdef0, eu-central-1a, spot"


@pytest.mark.parametrize(
    ("processor", "shown"),
    [
        (None, "not in the catalog: built native"),
        ({"name": None, "core": "x86-avx2", "title": "x86-64 with AVX2"}, "x86-64 with AVX2"),
        ({"core": "neoverse-n1", "bandwidth_gb_s": None}, "neoverse-n1"),
    ],
)
def test_a_machine_of_which_less_is_known(processor: dict[str, Any] | None, shown: str) -> None:
    some = side_by_side.records((Q4,))
    for record in some:
        if record["kind"] == "machine":
            record["payload"].update(processor=processor, sve_bytes=None)
    machine = facts(report.render(some)[PAGE], f"Machine | {MACHINE}")
    assert machine["Recognised as"] == shown
    assert "Memory bandwidth" not in machine
    assert "Vectors" not in machine


def test_records_without_these_fields_say_nothing_of_them() -> None:
    some = side_by_side.records((Q4, NO_REPACK))
    later = ("way", "core", "warnings", "file_types", "cpu_implementer", "sve_bytes", "processor")
    for record in some:
        for name in later:
            record["payload"].pop(name, None)
        for name in ("types", "tensors", "path"):
            record["payload"].get("kernel", {}).pop(name, None)
    text = "".join(report.render(some).values())
    for words in (
        "FALLBACK",
        "as expected",
        "Recognised",
        "Compiled",
        "Flags of the kernels",
        "Vectors",
        "theoretical",
    ):
        assert words not in text, words


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record["payload"].update(way=3),
        lambda record: record["payload"].update(warnings=["", 1]),
        lambda record: record["payload"].update(file_types="Q4_0"),
        lambda record: record["payload"].update(provenance="an sdist"),
        lambda record: record["payload"].update(compile_flags=[None]),
        lambda record: record["payload"].get("kernel", {}).update(path="fallback"),
        lambda record: record["payload"].get("kernel", {}).update(path={"why": "no state"}),
        lambda record: record["payload"].get("kernel", {}).update(types={"Q4_0": {"q4_0_8x8": "many"}}),
        lambda record: record["payload"].get("kernel", {}).update(tensors={"Q4_0": -1}),
    ],
)
def test_a_field_of_the_wrong_type_is_a_problem_of_its_line(tmp_path: Path, damage: Any) -> None:
    some = side_by_side.records((Q4,))
    for record in some:
        if record["kind"] in ("launch", "build"):
            damage(record)
    assert records.append(tmp_path, some).problems


@pytest.mark.parametrize("quantization", ["Q4_0", "Q4_0_8_8"])
def test_the_verdict_that_a_launch_records_is_shown(quantization: str) -> None:
    """The words of the module that judges, not those of a fixture."""
    some = side_by_side.records((Q4, NO_REPACK, LEGACY))
    machine = next(r["payload"] for r in some if r["kind"] == "machine")
    builds = {r["payload"]["id"]: r["payload"] for r in some if r["kind"] == "build"}
    for build in builds.values():
        if build["name"] == "no-repack":
            build["cmake_arguments"] = [*build["cmake_arguments"], "-DGGML_CPU_REPACK=OFF"]
    for record in some:
        if record["kind"] == "launch":
            own = record["payload"]
            own["kernel"]["path"] = kernel_path.verdict(
                own["kernel"], machine, builds[own["build"]], own["cell"]["quantization"], own["rows"][0]
            )
            assert schema.refusal(record) is None
    page = report.render(some)[PAGE if quantization == "Q4_0" else LEGACY_PAGE]
    assert "as expected" in page
    # A build without repacking is somebody's choice, told and not warned of.
    assert "[!CAUTION]" not in page
    assert ("switched off" in page) is (quantization == "Q4_0")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("measure the build `default`.", "Measure the build `default`."),
        ("`default` is faster", "`default` is faster."),
        ("a `b` c `d`", "A `b` c `d`."),
        ("unbalanced ` tick", "Unbalanced \\` tick."),
        ("q4_0_8x8 is missing", "q4_0_8x8 is missing."),
        ("llama-bench was told", "llama-bench was told."),
        ("<b>`</b>`|", "&lt;b&gt;`</b>`&#124;."),
    ],
)
def test_sentences_keep_their_code_and_act_as_nothing_else(words: str, shown: str) -> None:
    assert parts.sentence(words) == shown
