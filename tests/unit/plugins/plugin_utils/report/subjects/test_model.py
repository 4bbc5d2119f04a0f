# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages say what the tensors of a model are, loudly where its name says otherwise; the same bytes are one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support.records import side_by_side
from support.records.side_by_side import Combination

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report

Record = dict[str, Any]
Types = Mapping[str, tuple[int, int]]

Q8_0: Types = {"Q8_0": (226, 8_532_934_656), "F32": (66, 1_065_216)}
FALL_BACK: Types = {"Q5_0": (180, 700), "Q4_K": (30, 250), "Q6_K": (1, 50), "F32": (61, 9)}
_EIGHT = Combination("Q8_0", "default", 200.0, 25.0, {}, {"Q8_0": 226, "F32": 66})


def told(combinations: tuple[Combination, ...], **types: tuple[Types, str, float]) -> list[Record]:
    """Return records whose models say what they hold: by quantization its types, digest and bits per weight."""
    records = side_by_side.records(combinations)
    for record in records:
        payload = record["payload"]
        if record["kind"] == "model" and payload["quantization"] in types:
            shares, digest, bits = types[payload["quantization"]]
            payload["tensor_types"] = {
                name: {"tensors": count, "bytes": size} for name, (count, size) in shares.items()
            }
            payload.update(tensors_sha256=digest, bits_per_weight=bits)
    return records


def page(records: list[Record], quantization: str) -> str:
    return report.render(records)[f"{side_by_side.MACHINE}/{side_by_side.MODEL}/{quantization}.md"]


@pytest.fixture
def eights() -> list[Record]:
    """Records of Q8_0 and of MXFP4_MOE, which is it, and a bit faster by chance."""
    other = _EIGHT._replace(quantization="MXFP4_MOE", tg128=25.2, pp512=202.0)
    return told((_EIGHT, other), Q8_0=(Q8_0, "d1", 8.5001), MXFP4_MOE=(Q8_0, "d1", 8.5001))


def test_the_table_says_what_the_tensors_are() -> None:
    text = page(told((_EIGHT,), Q8_0=(Q8_0, "d1", 8.5001)), "q8")
    assert "| Tensors | Q8_0 (226), F32 (66) |" in text
    assert "| Bits per weight | 8.50 |" in text
    assert "| SHA-256 of the tensors alone | `d1` |" in text
    assert "**NOT" not in text
    assert "Weights:" not in text


def test_a_record_that_does_not_say_it_is_shown_as_ever() -> None:
    text = page(side_by_side.records((_EIGHT,)), "q8")
    assert not any(word in text for word in ("Tensors |", "Bits per", "alone |", "**NOT"))


def test_a_name_that_no_tensor_bears_is_said_loudly(eights: list[Record]) -> None:
    text = page(eights, "mxfp4-moe")
    head = text.split("| Figure", 1)[0]
    assert "> [!CAUTION]\n> **NOT MXFP4**: no tensor of MXFP4_MOE is MXFP4, which its name promises: " in head
    assert "Q8_0 (226), F32 (66), 8.50 bits per weight." in head
    assert "**NOT" not in page(eights, "q8")
    pages = report.render(eights)
    assert "**NOT MXFP4**" in pages[side_by_side.PAGE]
    assert "mxfp4-moe.md)<br>**NOT MXFP4** |" in pages[f"models/{side_by_side.MODEL}.md"]


def test_less_than_half_of_what_it_is_called_is_said_quietly() -> None:
    four = side_by_side.COMBINATIONS[-1]
    text = page(told((four,), Q4_K_M=(FALL_BACK, "d2", 5.3)), "q4-k-m")
    assert (
        "- Weights: 25 % of the quantized bytes of Q4_K_M are Q4_K; its tensors are Q5_0 (180), Q4_K (30), "
        "Q6_K (1), F32 (61)." in text
    )
    assert "**NOT" not in text


def test_llama_bench_calls_it_something_else() -> None:
    records = side_by_side.records((_EIGHT,))
    for record in records:
        if record["kind"] == "launch":
            record["payload"]["rows"] = [{"model_type": "llama 256M Q8_0"}]
    assert "| Called by llama-bench | llama 256M Q8_0, which is not its size |" in page(records, "q8")
    for record in records:
        if record["kind"] == "launch":
            record["payload"]["rows"] = [{"model_type": "llama 8B Q8_0"}]
    assert "Called by llama-bench" not in page(records, "q8")


class TestTheSameBytes:
    def test_are_ranked_once_under_the_name_that_the_tensors_bear(self, eights: list[Record]) -> None:
        index = report.render(eights)["README.md"]
        card = index.split("| Interactive<br>", 1)[1].split("##", 1)[0]
        assert f"<b>[{side_by_side.MACHINE} Q8_0]" in card
        assert "8.50 bits per weight, of 1 candidate" in card
        assert "MXFP4_MOE has the same bytes as Q8_0: one quantization, ranked once." in card
        offered = index.split("| Machine |", 1)[1].split("\n\n", 1)[0]
        assert "MXFP4" not in offered
        assert "has the same bytes as" in report.render(eights)[f"models/{side_by_side.MODEL}.md"]

    def test_are_said_to_be_so_side_by_side(self, eights: list[Record]) -> None:
        text = report.render(eights)[side_by_side.PAGE]
        assert "- Weights: MXFP4_MOE has the same bytes as Q8_0; no figure tells them apart." in text

    def test_stay_where_the_other_has_no_figure_that_holds(self, eights: list[Record]) -> None:
        for record in eights:
            if record["kind"] == "launch" and record["payload"]["cell"]["quantization"] == "Q8_0":
                record["payload"]["validity"] = {"state": "INVALID", "reasons": ["steal_percent = 9"]}
        card = report.render(eights)["README.md"].split("| Interactive<br>", 1)[1].split("##", 1)[0]
        assert f"<b>[{side_by_side.MACHINE} MXFP4_MOE]" in card

    def test_stay_on_a_machine_that_has_not_the_other(self, eights: list[Record]) -> None:
        elsewhere = [
            {**record, "machine": "gv4-r8g-16xlarge"}
            for record in eights
            if (record["payload"].get("cell") or record["payload"]).get("quantization") != "Q8_0"
        ]
        card = report.render([*eights, *elsewhere])["README.md"].split("| Interactive<br>", 1)[1].split("##", 1)[0]
        assert "<b>[gv4-r8g-16xlarge MXFP4_MOE]" in card
        assert "of 2 candidates" in card

    def test_other_bytes_are_two(self) -> None:
        other = _EIGHT._replace(quantization="MXFP4_MOE")
        records = told((_EIGHT, other), Q8_0=(Q8_0, "d1", 8.5), MXFP4_MOE=(Q8_0, "d2", 8.5))
        index = report.render(records)["README.md"]
        assert "the same bytes" not in index
        assert "of 2 candidates" in index
