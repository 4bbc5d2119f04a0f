# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.output import (
    OutputError,
    parse_row,
    parse_rows,
)

FIXTURES = Path(__file__).parents[5] / "fixtures" / "llama-bench"


def read(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "field"), [("current.jsonl", "load_mode"), ("legacy.jsonl", "use_mmap")])
def test_a_row_of_either_version_is_kept_verbatim(name, field):
    row = parse_row(read(name), n_prompt=32, n_gen=0, n_threads=2, repetitions=2)
    assert field in row
    assert len(row["samples_ts"]) == 2
    assert row["avg_ts"] == pytest.approx(sum(row["samples_ts"]) / 2, rel=1e-4)


def test_a_json_array_gives_the_same_rows_as_lines_do():
    assert [(row["n_prompt"], row["n_gen"]) for row in parse_rows(read("current.json"))] == [(32, 0), (0, 8)]


def test_fields_from_the_future_are_kept():
    assert parse_rows(read("unknown-field.jsonl"))[0]["from_the_future"] == {"a": [1]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "printed nothing"),
        (read("truncated.jsonl"), "ends in the middle"),
        (read("killed.json"), "ends in the middle"),
        (read("nan.jsonl"), "not JSON"),
        (read("nan.jsonl").replace("nan", "NaN"), "NaN where a number belongs"),
        (read("no-samples.jsonl"), "0 speeds for 0 durations"),
        ("error: something else\n", "not JSON"),
        ("[1, 2]", "a row is int, not an object"),
        ("{}", "lacks the field n_prompt"),
        (read("current.jsonl").replace('"n_prompt": 32', '"n_prompt": "32"'), "n_prompt is '32', not of type int"),
        (read("current.jsonl").replace('"n_gen": 0', '"n_gen": false'), "n_gen is False"),
        (read("current.jsonl").replace('"samples_ts": [ ', '"samples_ts": [ -'), "not a positive number"),
        (read("current.jsonl").replace('"samples_ts": [ ', '"samples_ts": [ 1, '), "3 speeds for 2 durations"),
        ("[" * 100000, "nested without end"),
        ("[" * 70 + "]" * 70, "nested deeper than 64 levels"),
        (read("current.jsonl").replace('"samples_ts": [ ', f'"samples_ts": [ {"9" * 5000}, '), "4300"),
        (read("current.jsonl").replace('"avg_ts": ', f'"avg_ts": {"9" * 400}, "x": '), "not a positive number"),
        (read("current.jsonl").replace('"avg_ts": ', '"avg_ts": 1e999, "x": '), "1e999 where a number belongs"),
    ],
)
def test_what_is_no_result_is_refused_with_the_reason(text, reason):
    with pytest.raises(OutputError, match=reason):
        parse_rows(text)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (dict(n_prompt=64, n_gen=0, n_threads=2, repetitions=2), "n_prompt = 32, where 64 was asked for"),
        (dict(n_prompt=32, n_gen=0, n_threads=1, repetitions=2), "n_threads = 2, where 1 was asked for"),
        (dict(n_prompt=32, n_gen=0, n_threads=2, repetitions=5), "2 samples, where 5 were asked for"),
    ],
)
def test_an_answer_to_another_question_is_refused(asked, reason):
    with pytest.raises(OutputError, match=reason):
        parse_row(read("current.jsonl"), **asked)


def test_two_rows_where_one_was_asked_for_are_refused():
    with pytest.raises(OutputError, match="2 rows"):
        parse_row(read("current.json"), n_prompt=32, n_gen=0, n_threads=2, repetitions=2)
