# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of quality and speed says what refers to what, who dominates whom and which to choose; others link to it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from support.records import side_by_side, traded

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing, pages, terminal, tradeoff

Record = dict[str, Any]

F16, Q8_0, Q8_0_KV, Q6_K, Q4_K_M, Q4_0, FAST = traded.TRADED
FOLDER = traded.PAGE.rpartition("/")[0]
PRICE = {"usd_hour": 0.1, "date": "2026-11-01", "source": "me", "market": "given"}


def page(*combinations: traded.Traded, **more: Any) -> str:
    return pages.render(traded.records(combinations or traded.TRADED, **more))[traded.PAGE]


def table(text: str) -> dict[str, dict[str, str]]:
    """Return the cells of the first table by the titles of their columns, by quantization and build."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    titles, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    by_title = [dict(zip(titles, row, strict=True)) for row in rows]
    build = titles[1]
    return {f"{row['Quantization'].split(']')[0][1:]} {row[build]}": row for row in by_title}


def test_the_answer_comes_first_with_its_limit() -> None:
    text = page()
    answer = next(line for line in text.splitlines() if line.startswith("<b>Fastest"))
    assert answer.startswith(
        "<b>Fastest within 1 % of the perplexity of F16: Q8_0 in build default, ctk=q8_0+ctv=q8_0, 96.00"
    )
    assert "lost 0.09\u00a0% (0.05\u00a0to\u00a00.13), of 3 candidates" in answer
    assert "within 10 % of the perplexity of F16: Q4_K_M in build default" in page(quality_limit_percent=10.0)


@pytest.mark.parametrize(
    ("combinations", "more", "said"),
    [
        ((Q4_0,), {}, "Nothing is established to be within 1 % of the perplexity of F16; least lost: Q4_0 in build"),
        (
            (Q8_0,),
            {"tests": ("quality512x4",)},
            "1 within 1 % of the perplexity of F16, of which this run has no speed",
        ),
        ((Q8_0,), {"launches": 1}, "0.04\u00a0%, no interval of one launch"),
        ((Q8_0, Q8_0._replace(build="other")), {}, "not established against Q8_0 in build other (\\~)"),
    ],
)
def test_what_cannot_be_chosen_is_said(combinations: Any, more: Any, said: str) -> None:
    assert said in page(*combinations, **more)


def test_a_row_has_what_was_measured_and_what_dominates_it() -> None:
    rows = table(page(price=PRICE))
    whole = rows["Q4_0 default"]
    assert whole["Bits per weight"] == "4.55"
    assert whole["File"] == "87.5\u00a0MiB"
    assert whole["Lost\u00a0%"].startswith("18.00<br><sub>17.79")
    assert whole["KL divergence, mean"].startswith("0.280000<br><sub>0.278965\u00a0to\u00a00.281035")
    assert whole["KL divergence, 99\u00a0%"].startswith("3.36")
    assert whole["Same token\u00a0%"].startswith("69.00")
    assert (
        whole["Generation, token/s"]
        == "130.0<br><sub>129.5\u00a0to\u00a0130.5</sub><br><sub>VALID\u00a0±0.4\u00a0%</sub>"
    )
    assert whole["Peak memory"] == "220\u00a0MiB"
    assert (whole["Load, cold"], whole["Load, warm"]) == ("1.100\u00a0s", "0.5500\u00a0s")
    assert whole["USD per million tokens"] == "0.214"
    assert whole["Dominated"] == "memory: by Q4_K_M, default<br>load time: by Q4_K_M, default"
    assert rows["Q8_0 default"]["Dominated"] == "no"
    assert rows["Q6_K default"]["Dominated"] == (
        "generation: by Q8_0, default, ctk=q8_0+ctv=q8_0<br>prompts: by Q8_0, default"
    )
    assert rows["Q8_0 default, ctk=q8_0+ctv=q8_0"]["Lost\u00a0%"].startswith("0.09")


def test_what_was_not_measured_has_no_column() -> None:
    text = page(Q8_0, Q4_0, tests=("quality512x4", "tg128"))
    (titles,) = {tuple(row) for row in table(text).values()}
    assert not {"USD per million tokens", "Load, cold", "Prompt, token/s"} & set(titles)
    assert "Generation, token/s" in titles


def test_a_wrong_build_is_loud_dominates_nothing_and_costs_nothing() -> None:
    text = page(price=PRICE)
    assert "> [!CAUTION]\n> Q4_0 in build fast is wrong: with the same file" in text
    wrong = table(text)["Q4_0 fast"]
    assert wrong["Dominated"] == "**wrong, see above**"
    assert "INVALID, not ranked" in wrong["Generation, token/s"]
    assert wrong["USD per million tokens"] == "N/A"
    assert "Not in the figure, for their speed was not measured or may not be ranked: Q4_0, fast (INVALID)." in text


def test_other_pages_are_as_loud() -> None:
    every = pages.render(traded.records())
    for path in ("q4.md", "README.md"):
        assert "Q4_0 in build fast is wrong" in every[f"{FOLDER}/{path}"]
    assert "is wrong:" not in every[f"{FOLDER}/q8.md"]
    assert (
        "**Q4_0 in build fast** against default: generation (tg128, 2 threads) **wrong**, so not compared"
        in (every[f"{FOLDER}/README.md"])
    )
    speeds = next(figure for figure in pages.render(traded.records()).figures if figure.path.endswith("speeds"))
    assert "fast" not in speeds.alt


def test_it_says_what_the_figures_are_of() -> None:
    text = page()
    assert "- Weights: real." in text
    assert (
        "- Text: Alice's Adventures in Wonderland by Lewis Carroll, 1865 (public domain); 6 launches of 4 chunks"
        in text
    )
    assert "- Reference: F16, file smollm2-135m-f16.gguf." in text
    assert "## Against F16, context 512" in text


def test_a_reference_that_was_made_wider_is_no_such_quality() -> None:
    text = page(widened_from="Q4_1")
    assert "## Against F16 made of Q4_1, context 512" in text
    assert "within 1 % of the perplexity of F16 made of Q4_1" in text
    said = "That reference was made of a Q4_1 file, which had been rounded before: it is not F16 quality"
    assert said in text
    assert said in pages.render(traded.records(widened_from="Q4_1"))[f"{FOLDER}/q8.md"]


def test_contexts_are_never_mixed() -> None:
    text = page(Q8_0, Q4_0, tests=("tg128", "quality512x4", "quality256x8"))
    assert text.index("## Against F16, context 256") < text.index("## Against F16, context 512")
    lines = terminal.lines(traded.records((Q8_0,), ("quality512x4", "quality256x8")), traded.RUN, ".")
    assert [line for line in lines if "(context 256, text alice29)" in line]


def test_a_run_whose_quality_failed_has_its_page_and_an_earlier_one_its_figures() -> None:
    """A promised page is there, and figures do not go for a run without any."""
    failed = [
        record
        for record in traded.records((Q8_0,), run="20261201T080000Z-7a12")
        if record["kind"] != "launch" or record["payload"]["cell"]["test"] == "tg128"
    ]
    assert "No quality was measured: it ended before the first launch" in pages.render(failed)[traded.PAGE]
    (plan,) = [record for record in failed if record["kind"] == "run"]
    assert traded.PAGE in pages.promised_pages(plan)
    both = pages.render([*traded.records(), *failed])
    assert "Fastest within 1 %" in both[traded.PAGE]
    assert traded.RUN in both[traded.PAGE]


def test_pages_without_quality_have_nothing_of_it() -> None:
    every = pages.render(side_by_side.records())
    assert not [path for path in every if path.endswith("quality.md")]
    assert not [path for path, text in every.items() if "Quality" in text]


def test_the_index_the_machine_and_the_quantization_lead_there() -> None:
    every = pages.render(traded.records())
    name = "smollm2-135m on local-amd-epyc"
    assert f"## Quality and speed\n\n- [{name}]({traded.PAGE}): fastest within 1 % " in every["README.md"]
    assert f"- [{name}](smollm2-135m/quality.md): fastest within" in every["local-amd-epyc/README.md"]
    assert "[Quality and speed of all quantizations](quality.md)" in every[f"{FOLDER}/q8.md"]
    assert (
        "| Perplexity lost to F16 | **1.20 %** | 1.02 to 1.38 | VALID |".replace(" %", "\u00a0%")
        .replace(" to ", "\u00a0to\u00a0")
        .replace("lost\u00a0to\u00a0F16", "lost to F16")
        in every[f"{FOLDER}/q6-k.md"]
    )


# ---- The figure ----


def figure(*combinations: traded.Traded, **more: Any) -> Any:
    shown = pages.render(traded.records(combinations or traded.TRADED, **more)).figures
    return next((each for each in shown if each.path == f"{FOLDER}/figures/quality-tradeoff"), None)


def test_the_figure_has_the_frontier_and_the_dominated_apart() -> None:
    drawn = figure()
    by_kind: dict[str, list[str]] = {}
    for value in drawn.spec["data"]["values"]:
        by_kind.setdefault(value["kind"], []).append(value["name"])
    assert by_kind == {
        "on the frontier": ["F16", "Q8_0", "Q8_0, ctk=q8_0+ctv=q8_0", "Q4_K_M", "Q4_0"],
        "dominated": ["Q6_K"],
    }
    line = drawn.spec["layer"][0]
    assert [value["name"] for value in line["data"]["values"]] == by_kind["on the frontier"]
    assert "Q6_K 90.00 token/s, lost 1.20 %, dominated" in drawn.alt
    assert "Q4_0 130.0 token/s, lost 18.00 %, on the frontier" in drawn.alt


def test_losses_of_nothing_have_their_place_on_the_scale() -> None:
    """A logarithm has none for 0, and what is next to nothing may lie below it."""
    better = Q8_0._replace(ratio=0.9995)
    scale = figure(F16, better, Q4_0).spec["layer"][3]["encoding"]["x"]["scale"]
    assert (scale["type"], scale["domain"]) == ("symlog", [-0.1, 100.0])


def test_names_that_would_cover_each_other_stand_apart() -> None:
    named = {value["name"]: value for layer in figure().spec["layer"][4:] for value in layer["data"]["values"]}
    # To the right of Q8_0 its name would cover the point beside it, whose own stands there.
    placed = {name: (value["align"], value["dy"]) for name, value in named.items()}
    assert placed["Q8_0"] == ("right", -10)
    assert placed["Q8_0, ctk=q8_0+ctv=q8_0"] == ("left", -10)
    assert len(named) == 6
    assert named["Q4_0"]["align"] == "right"


def test_of_one_point_nothing_is_drawn() -> None:
    assert figure(Q8_0) is None
    assert figure(Q8_0, Q4_0, tests=("quality512x4",)) is None


def test_where_no_speed_may_be_ranked_the_figure_has_the_memory() -> None:
    drawn = figure(F16, Q6_K, Q4_K_M, Q4_0, launches=1)
    assert "Q4_0 220.0 MiB, lost 18.00 %, dominated" in drawn.alt
    assert "Q4_K_M 210.0 MiB, lost 8.00 %, on the frontier" in drawn.alt
    assert drawn.spec["layer"][3]["encoding"]["y"]["title"] == "Peak memory, MiB"
    text = page(F16, Q6_K, Q4_K_M, Q4_0, launches=1)
    assert "No figure has the speeds, for fewer than two of them may be ranked; this one has the memory." in text
    assert "Not in the figure" not in text


def test_it_can_be_drawn(tmp_path: Path) -> None:
    (svg,) = drawing.draw([drawing.themed(figure().spec, "dark")])
    assert "Q4_K_M" in svg
    assert "Perplexity lost to F16, %" in svg


# ---- At the end of a terminal ----


def test_the_terminal_has_a_line_of_the_choice() -> None:
    lines = terminal.lines(traded.records(), traded.RUN, "results")
    (line,) = [line for line in lines if line.startswith("  quality ")]
    assert line.startswith("  quality     fastest within 1 % of the perplexity of F16: Q8_0 in build default, ctk=q8_0")
    without = terminal.lines(traded.records(tests=("tg128",)), traded.RUN, "results")
    assert not [line for line in without if "quality" in line]


def test_names_of_a_record_stay_text() -> None:
    every = copy.deepcopy(traded.records((Q8_0, Q4_0)))
    for record in every:
        for cell in [*record["payload"].get("cells", []), record["payload"].get("cell") or {}]:
            if "reference" in cell:
                cell["reference"] = "<b>|x"
            if "text" in cell:
                cell["text"] = "[a](b)"
    text = pages.render(every)[traded.PAGE]
    assert "<b>|x" not in text
    assert "[a](b)" not in text


def test_the_latest_run_with_figures_is_shown() -> None:
    later = traded.records((Q8_0, Q4_0), run="20261202T080000Z-7a13")
    runs = summary.runs([*traded.records(), *later])
    assert [run.run for run in tradeoff.latest(runs).values()] == ["20261202T080000Z-7a13"]
