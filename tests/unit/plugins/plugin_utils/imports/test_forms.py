# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is understood of a file is kept, and what is not is named with its line, once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import forms
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed, parse

ROW = {"model_type": "llama 8B Q4_0", "n_prompt": 512, "n_gen": 0, "n_threads": 64, "avg_ts": 200.5}
TG = {**ROW, "n_prompt": 0, "n_gen": 128, "avg_ts": 20.5}
LINES = f"{json.dumps(ROW)}\n{json.dumps(TG)}\n"
PRETTY = json.dumps([ROW, TG], indent=2) + "\n"
CSV = 'avg_ts,n_prompt,n_gen,n_threads,model_type\n200.5,512,0,64,"llama 8B Q4_0"\n20.5,0,128,64,"llama 8B Q4_0"\n'
INSERT = "INSERT INTO test (avg_ts, n_prompt, n_gen, n_threads) VALUES"
CREATE = (
    "CREATE TABLE IF NOT EXISTS test (\n  avg_ts REAL,\n  n_prompt INTEGER,\n  n_gen INTEGER,\n  n_threads INTEGER\n);"
)
SQL = f"{CREATE}\n\n{INSERT} ('200.5', '512', '0', '64');\n{INSERT} ('20.5', '0', '128', '64');\n"
HEAD = "| model | size | params | backend | threads | test | t/s |\n| --- | ---: | ---: | --- | ---: | ---: | ---: |\n"
TABLE = (
    f"{HEAD}| llama 8B Q4_0 | 4.33 GiB | 8.03 B | CPU | 64 | pp512 | 200.50 ± 1.25 |\n"
    "| llama 8B Q4_0 | 4.33 GiB | 8.03 B | CPU | 64 | tg128 | 20.50 ± 0.10 |\n"
)
EVERY = {"jsonl": LINES, "json": PRETTY, "csv": CSV, "sql": SQL, "md": f"{TABLE}\nbuild: 0c1e57098 (1)\n"}


def speeds(tool: forms.Tool) -> list[float]:
    return [row["avg_ts"] for row in tool.rows]


@pytest.mark.parametrize("form", EVERY)
def test_lines_before_and_behind_the_rows_are_named_and_the_rows_kept(form: str) -> None:
    assert parse(EVERY[form], "a").problems == []
    tool = parse(f"hello\n{EVERY[form]}Killed\n", "a.txt")
    assert speeds(tool) == [200.5, 20.5]
    last = len(EVERY[form].splitlines()) + 2
    assert tool.problems == [f"a.txt, lines 1, {last}: no results, left out; the first: 'hello'"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LINES.replace("\n", "\nwhat is this\n", 1), 2),
        (PRETTY.replace('"n_gen": 0,\n', '"n_gen": 0,\nwhat is this\n', 1), 6),
        (CSV.replace('Q4_0"\n', 'Q4_0"\nwhat is this\n', 1), 3),
        (SQL.replace(");\nINS", ");\nwhat is this\nINS", 1), 9),
        (TABLE.replace("1.25 |\n", "1.25 |\nwhat is this\n", 1), 4),
    ],
)
def test_lines_between_and_within_rows_cost_no_row(text: str, line: int) -> None:
    tool = parse(text, "a")
    assert speeds(tool) == [200.5, 20.5]
    assert tool.problems == [f"a, line {line}: no result, left out: 'what is this'"]


def test_a_programs_own_log_is_nothing_strange_unless_it_tells_of_trouble() -> None:
    log = "ggml_cuda_init: found 1 device\n0.00.060.940 I print_info: file type   = Q4_0\n....\n"
    assert parse(f"{log}{LINES}", "a").problems == []
    tool = parse(f"{log}main: error: failed to create context\n{LINES}", "a")
    assert tool.problems == ["a, line 4: no result, left out: 'main: error: failed to create context'"]


@pytest.mark.parametrize("form", EVERY)
def test_a_last_row_that_is_cut_off_is_named(form: str) -> None:
    whole = EVERY[form].rstrip().removesuffix("build: 0c1e57098 (1)").rstrip()
    tool = parse(whole[: -max(8, len(whole.splitlines()[-1]) // 3)] if form != "json" else whole[:-20], "a.txt")
    assert speeds(tool) == [200.5]
    (problem,) = tool.problems
    assert problem.startswith("a.txt, line ")
    assert "cut off or broken" in problem or "SQLite refuses" in problem


@pytest.mark.parametrize(
    ("speed", "others", "read"),
    [
        ("40,25 ± 0,10", "", 40.25),
        ("1.040,25 ± 3,10", "", 1040.25),
        ("1,040.25 ± 3.10", "", 1040.25),
        ("1 040,25 ± 3,10", "", 1040.25),
        ("1.040", "40,25 ± 0,10", 1040.0),
        ("1,040", "40.25 ± 0.10", 1040.0),
        ("40.25 +/- 0.10", "", 40.25),
        ("40.25 \ufffd 0.10", "", 40.25),
        ("40.25", "", 40.25),
    ],
)
def test_a_table_may_have_the_marks_of_any_country(speed: str, others: str, read: float) -> None:
    rows = [f"| llama 8B Q4_0 | 4,33 GiB | 8,03 B | CPU | 64 | tg128 | {each} |" for each in (speed, others) if each]
    tool = parse(HEAD + "\n".join(rows), "a.md")
    assert speeds(tool)[0] == read
    assert tool.rows[0]["model_size"] == round(4.33 * 2**30)
    assert tool.rows[0]["model_n_params"] == 8_030_000_000


@pytest.mark.parametrize(
    ("speed", "why"), [("1,040", "with a thousands mark 1040 and with decimals 1.040"), ("40.25x", "its speed is")]
)
def test_a_speed_that_may_be_two_or_is_none_is_refused(speed: str, why: str) -> None:
    with pytest.raises(ImportFailed, match=why):
        parse(f"{HEAD}| llama 8B Q4_0 | 4.33 GiB | 8.03 B | CPU | 64 | tg128 | {speed} |", "a.md")


def test_a_spreadsheets_csv_has_semicolons_and_commas() -> None:
    text = "avg_ts;n_prompt;n_gen;n_threads;model_type\n1.040,25;512;0;64;llama 8B Q4_0\n40,5;0;128;64;llama 8B Q4_0\n"
    assert speeds(parse(text, "a.csv")) == [1040.25, 40.5]


def test_a_pipe_in_a_cell_costs_no_row() -> None:
    rows = "".join(f"| {name} Q4_0 | 4.33 GiB | 8.03 B | CPU | 64 | tg128 | 20.5 |\n" for name in ("a \\| b", "a | b"))
    tool = parse(HEAD + rows, "a.md")
    assert [row["model_type"] for row in tool.rows] == ["a | b Q4_0", "a | b Q4_0".replace(" | ", "|")]
    tool = parse(f"{HEAD}| llama 8B Q4_0 | CPU | tg128 | 9.0 |\n{TABLE.splitlines()[-1]}", "a.md")
    assert tool.problems == ["a.md, line 3: it has 4 cells where the head has 7: cut off or broken"]


def test_a_table_keeps_the_build_that_stands_below_it() -> None:
    text = f"{TABLE}\nbuild: 0c1e57098 (11669)\n\n> {TABLE}\nbuild: debian (11700)\n\n{TABLE}"
    tool = parse(text, "a.md")
    assert [row.get("build_commit") for row in tool.rows] == ["0c1e57098"] * 2 + ["debian"] * 2 + [None] * 2
    assert [result.process for result in tool.results] == [0, 0, 1, 1, 2, 2]


def test_what_a_table_calls_its_columns_are_fields_of_a_row() -> None:
    text = "| model | ngl | fa | rpk | lm | test | t/s |\n|--|--|--|--|--|--|--|\n"
    text += "| llama 8B Q4_0 | 99 | 1 | 0 | none | tg8 | 5.0 |"
    (row,) = parse(text, "a.md").rows
    assert (row["n_gpu_layers"], row["flash_attn"], row["repack"], row["load_mode"]) == ("99", "1", "0", "none")


def test_a_beginning_that_matches_is_no_match() -> None:
    for test in ("pp512x", "tg128@pp512", "pp512 @ d", "xpp512"):
        with pytest.raises(ImportFailed, match="its test is"):
            parse(f"{HEAD}| llama 8B Q4_0 | 4.33 GiB | 8.03 B | CPU | 64 | {test} | 20.5 |", "a.md")


def test_arrays_one_behind_the_other_are_a_process_each() -> None:
    tool = parse(PRETTY + PRETTY, "a.json")
    assert [result.process for result in tool.results] == [0, 0, 1, 1]
    assert {result.process for result in parse(LINES * 3, "a.jsonl").results} == {0}


def test_objects_without_end_take_no_time_without_end() -> None:
    text = '{"avg_ts":\n' * 20_000
    with pytest.raises(ImportFailed, match="cannot be read as that"):
        parse(text, "a.json")


LOG = """build: 11669 (0c1e57098) with cc (Debian 12.2.0-14) 12.2.0 for aarch64-linux-gnu
llama_model_loader: loaded meta data with 29 pairs and 39 tensors from m/a-Q4_0-00001-of-00002.gguf (version GGUF V3)
print_info: arch             = llama
print_info: model type       = 8B
print_info: file type   = Q4_0
load_tensors:   CPU_Mapped model buffer size =   100.00 MiB
load_tensors:   CPU_Mapped model buffer size =   200.00 MiB
llama_context: n_ctx                 = 4096
llama_context: n_batch               = 2048
llama_context: n_ubatch              = 512
llama_context: flash_attn            = auto
llama_kv_cache: size =  512.00 MiB (  4096 cells,  32 layers,  1/1 seqs), K (q8_0):  256.00 MiB, V (f16):  256.00 MiB
sched_reserve: Flash Attention was auto, set to enabled
system_info: n_threads = 8 (n_threads_batch = 16) / 64 | CPU : NEON = 1 | SVE = 1 |
common_perf_print:        load time =      13.14 ms
common_perf_print: prompt eval time =      12.95 ms /    18 tokens (    0.72 ms per token,  1390.39 tokens per second)
common_perf_print:        eval time =      48.34 ms /    15 runs   (    3.22 ms per token,   310.28 tokens per second)
"""


def test_a_log_says_how_it_was_measured() -> None:
    tool = parse(LOG, "a.log")
    prompt, generated = tool.rows
    said: dict[str, Any] = {
        "build_number": 11669,
        "build_commit": "0c1e57098",
        "compiler": "cc (Debian 12.2.0-14) 12.2.0",
        "compiler_target": "aarch64-linux-gnu",
        "cpus": 64,
        "n_ctx": "4096",
        "n_batch": "2048",
        "n_ubatch": "512",
        "flash_attn": "1",
        "type_k": "q8_0",
        "type_v": "f16",
        "model_type": "llama 8B Q4_0",
    }
    assert said.items() <= prompt.items()
    assert said.items() <= generated.items()
    assert (prompt["n_threads"], generated["n_threads"]) == (16, 8)
    (buffer,) = (tool.results[0].kernel or {})["buffers"]
    assert buffer["bytes"] == 300 * 2**20


def test_a_log_with_two_runs_has_two() -> None:
    other = LOG.replace("0c1e57098", "abcdef012").replace("/ 64", "/ 32").replace("310.28", "155.14")
    tool = parse(LOG + other.replace("   100.00", "   400.00"), "a.log")
    assert [result.process for result in tool.results] == [0, 0, 1, 1]
    assert [row["build_commit"] for row in tool.rows] == ["0c1e57098"] * 2 + ["abcdef012"] * 2
    assert [row["cpus"] for row in tool.rows] == [64, 64, 32, 32]
    assert [(result.kernel or {})["buffers"][0]["bytes"] >> 20 for result in tool.results[::2]] == [300, 600]


CLI = """
build      : b11669-0c1e57098
model      : Llama-3.2-1B-Instruct-Q4_K_M.gguf
ftype      : Q4_K - Medium
modalities : text

> Hello

[ Hi there, 12.5 t/s is not this line ]

[ Prompt: 123.4 t/s | Generation: 20.5 t/s ]
"""


def test_todays_llama_cli_is_read_and_says_no_length() -> None:
    tool = parse(f"{CLI}\n\nExiting...", "cli.log")
    assert [(row["unknown_length"], row["avg_ts"]) for row in tool.rows] == [("pp", 123.4), ("tg", 20.5)]
    assert {row["build_commit"] for row in tool.rows} == {"0c1e57098"}
    assert tool.problems == []


def test_a_later_answer_stands_behind_a_conversation_and_is_left_out() -> None:
    tool = parse(CLI + "> More\n\n[ Prompt: 50.0 t/s | Generation: 18.0 t/s ]\n", "cli.log")
    assert speeds(tool) == [123.4, 20.5]
    (problem,) = tool.problems
    assert problem.startswith("cli.log, line 14: the answers after the first stand behind a conversation")
    assert speeds(parse(CLI + CLI, "cli.log")) == [123.4, 20.5] * 2


def test_a_log_that_ends_in_its_timings_says_what_is_lost() -> None:
    prompt = LOG[: LOG.index("common_perf_print:        eval")]
    for end in ("", "common_perf_print:        eval time =      48.34 ms /    15 runs   (    3.22 ms per token,   31"):
        tool = parse(prompt + end, "a.log")
        assert speeds(tool) == [1390.39]
        (problem,) = tool.problems
        assert problem.startswith(f"a.log, line {16 if not end else 17}: ")
        assert "cut off or broken" in problem
    tool = parse(f"{CLI}{CLI.removesuffix('t/s ]' + chr(10))}", "a.log")
    assert speeds(tool) == [123.4, 20.5]
    assert tool.problems[0].startswith("a.log, line 22: a timing that is cut off or broken: '[ Prompt: 123.4 t/s")
    # Of no token there is no speed, and nothing is cut.
    none = "eval time =       0.00 ms /     0 runs   (    -nan ms per token,     -nan tokens per second)"
    assert parse(f"{prompt}common_perf_print:        {none}\n", "a.log").problems == []


# ---- What proves that a row is whole ----


@pytest.mark.parametrize("ends", ["\n", "", "\nKilled\n"])
def test_a_table_row_that_no_pipe_ends_is_cut_off(ends: str) -> None:
    cut = TABLE.rstrip().removesuffix("0.50 ± 0.10 |")
    tool = parse(f"{cut}{ends}", "a.md")
    assert speeds(tool) == [200.5]
    assert "a.md, line 4: no pipe ends its last cell, '2'" in tool.problems[0]
    # One in a cell is no end of the row.
    tool = parse(f"{cut.replace('llama 8B', 'a | b')}{ends}", "a.md")
    assert speeds(tool) == [200.5]
    # Where none has a pipe at its end, the end of the line is that of a row.
    bare = "\n".join(line.removesuffix(" |") for line in TABLE.splitlines())
    assert speeds(parse(f"{bare}\n", "a.md")) == [200.5, 20.5]
    assert speeds(parse(bare, "a.md")) == [200.5]


def test_a_csvs_last_number_is_whole_where_a_quote_or_the_line_ends() -> None:
    head = "n_prompt,n_gen,n_threads,avg_ts\n"
    for text, read in (
        (f"{head}0,128,8,20.5\n0,256,8,40.25\n", [20.5, 40.25]),
        (f'{head}0,128,8,20.5\n0,256,8,"40.25"', [20.5, 40.25]),
        (f"{head}0,128,8,20.5\n0,256,8,4", [20.5]),
    ):
        tool = parse(text, "a.csv")
        assert speeds(tool) == read
        assert len(tool.problems) == 2 - len(read)
    assert "a.csv, line 3: nothing ends its last field, '4'" in tool.problems[0]


def test_a_spreadsheets_head_may_have_quotes() -> None:
    head = '"build_commit","n_threads","n_prompt","n_gen","avg_ts"\n'
    for rows in ('"0c1e57098","8","0","128","20.5"\n', '"0c1e57098",8,0,128,20.5\n'):
        tool = parse(head + rows, "a.csv")
        assert (tool.form, speeds(tool)) == ("llama-bench csv", [20.5])


# ---- Counts and marks ----


def test_counts_are_read_by_the_marks_of_the_file() -> None:
    head = "n_prompt;n_gen;n_threads;avg_ts;stddev_ts\n"
    tool = parse(f"{head}1.024;0;16;40,25;1,234\n0;2.048;16;1.040;0,5\n", "a.csv")
    assert [(row["n_prompt"], row["n_gen"]) for row in tool.rows] == [(1024, 0), (0, 2048)]
    assert [(row["avg_ts"], row["stddev_ts"]) for row in tool.rows] == [(40.25, 1.234), (1040.0, 0.5)]
    tool = parse(f"{head}1.024;0;16;40.25;0.5\n1,024;0;16;41.25;0.5\nx;128;16;20.5;0.5\n", "a.csv")
    assert [(row["n_prompt"], row["avg_ts"]) for row in tool.rows] == [(1024, 41.25)]
    assert tool.problems == [
        "a.csv, line 2: its n_prompt is '1.024', by the marks of its file no whole number: write it without any",
        "a.csv, line 4: its n_prompt is 'x', by the marks of its file no whole number: write it without any",
    ]
    tool = parse(f"{head}512;0;16;40;1,234\n", "a.csv")
    assert tool.rows[0]["stddev_ts"] is None
    assert tool.problems == ["a.csv, line 2: its deviation is '1,234', left out"]
    with pytest.raises(ImportFailed, match=r"its n_gen is 1\.5"):
        parse(json.dumps({**TG, "n_gen": 1.5}), "a.json")


def test_a_speed_that_may_be_two_costs_that_row_and_its_remedy_is_read() -> None:
    row = "| llama 8B Q4_0 | 4.33 GiB | 8.03 B | CPU | 64 | {} | {} |\n"
    for speed in ("1,040 ± 1", "1.040 ± 2", "1.040"):
        text = HEAD + row.format("pp512", speed) + row.format("tg128", "40 ± 1")
        tool = parse(text, "a.md")
        assert speeds(tool) == [40.0]
        mean = speed.split()[0]
        (problem,) = tool.problems
        assert problem.startswith(f"a.md, line 3: its speed is {mean!r}, with a thousands mark 1040 and with decimals")
        assert problem.endswith("no other speed of the file says which: write 1040 or 1.0400 there")
        assert speeds(parse(text.replace(mean, "1040"), "a.md"))[0] == 1040.0
        assert speeds(parse(text.replace(mean, "1.0400"), "a.md"))[0] == 1.04


# ---- Pipes ----


def test_a_pipe_stands_in_the_cell_that_leaves_the_others_what_they_are() -> None:
    row = "| llama 8B Q4_0 | 4.33 GiB | 8.03 B | CPU|BLAS | 64 | tg128 | 20.5 |\n"
    (read,) = parse(HEAD + row, "a.md").rows
    assert (read["model_type"], read["backends"], read["n_threads"]) == ("llama 8B Q4_0", "CPU|BLAS", 64)
    head = HEAD.replace("backend |", "backend | ot |").replace("--- |", "--- | --- |", 1)
    tool = parse(f"{head}| llama 8B Q4_0 | 4.33 GiB | 8.03 B | CPU | a|b | 64 | tg128 | 20.5 |\n{TABLE}", "a.md")
    assert speeds(tool) == [200.5, 20.5]
    (problem,) = tool.problems
    assert problem.startswith("a.md, line 3: it has 9 cells where the head has 8, and which of them are one")
    assert problem.endswith("write it as \\|")


# ---- Processes and their buffers ----


def test_each_process_of_sql_makes_its_table() -> None:
    assert [result.process for result in parse(SQL, "a.sql").results] == [0, 0]
    assert [result.process for result in parse(SQL + SQL, "a.sql").results] == [0, 0, 1, 1]
    cut = (SQL + SQL).rstrip()[:-10]
    assert [result.process for result in parse(cut, "a.sql").results] == [0, 0, 1]


def opened(name: str, mib: int) -> str:
    return (
        f"llama_model_loader: loaded meta data with 29 key-value pairs and 39 tensors from {name} (version GGUF V3)\n"
        f"load_tensors:   CPU_Mapped model buffer size =  {mib}.00 MiB\n"
    )


def made(mib: int) -> str:
    return f"llama_context: constructing llama_context\nllama_kv_cache:        CPU KV buffer size =   {mib}.00 MiB\n"


def buffers(tool: forms.Tool) -> list[dict[str, int] | None]:
    return [
        result.kernel and {buffer["use"]: buffer["bytes"] >> 20 for buffer in result.kernel["buffers"]}
        for result in tool.results
    ]


FIRST, SECOND, THIRD = ({"model": 3600, "kv": 8}, {"model": 3600, "kv": 4}, {"model": 37000, "kv": 80})


@pytest.mark.parametrize("form", ["jsonl", "md", "csv"])
def test_buffers_are_those_of_the_context_that_a_row_was_measured_in(form: str) -> None:
    head, rows = {
        "jsonl": ("", [f"{json.dumps({**TG, 'n_gen': tokens})}\n" for tokens in (64, 128, 256)]),
        "md": (HEAD, [TABLE.splitlines()[-1].replace("tg128", test) + "\n" for test in ("tg64", "tg128", "tg256")]),
        "csv": (CSV.splitlines()[0] + "\n", [f'20.5,0,{tokens},64,"llama 8B Q4_0"\n' for tokens in (64, 128, 256)]),
    }[form]
    log = [opened("a", 3600) + made(8), made(4), opened("b", 37000) + made(80)]
    between = head + "".join(text for pair in zip(log, rows, strict=True) for text in pair)
    assert buffers(parse(between, "a.txt")) == [FIRST, SECOND, THIRD]
    # One file behind the other has as many contexts as rows, in their order.
    for text in ("".join([*log, head, *rows]), "".join([head, *rows, *log])):
        tool = parse(text, "a.txt")
        assert buffers(tool) == [FIRST, SECOND, THIRD]
        assert tool.problems == []
    # Of other numbers of them nothing tells which is whose.
    tool = parse("".join([*log, head, *rows[:2]]), "a.txt")
    assert buffers(tool) == [None, None]
    assert tool.problems[-1].endswith("with: their buffers are unknown")


def test_rows_without_a_log_have_not_the_buffers_of_those_with_one() -> None:
    text = f"{opened('a', 3600)}{made(8)}{json.dumps(TG)}\n{LINES}"
    assert buffers(parse(text, "a.txt")) == [FIRST, None, None]


def quickly(text: str) -> None:
    """Read a text in far less time than what it asks for would take, whatever is found in it."""
    start = time.process_time()
    try:
        parse(text, "a")
    except ImportFailed:
        pass
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "text",
    [
        TABLE + "| " + "-" * 500 + " x |\n",
        TABLE + "| " + ": " * 2000 + "x |\n",
        "|" + "a|" * 20_000 + "test|t/s|\n|" + "b|" * 20_010 + "\n",
        "[" + ",".join([json.dumps(ROW)] * 20_000) + "]",
        f"{SQL}{'INSERT INTO test SELECT a.* FROM test a, test b;' * 8}\n",
        f"{SQL}{'UPDATE test SET avg_ts = avg_ts || avg_ts;' * 60}\n",
        json.dumps({**ROW, "model_type": "a " * 60_000}),
        "build: 1 (a) with " + "x for " * 20_000 + "\nllama_perf_context_print: load time = 1 ms\n",
        "using device A (" * 8000 + "\nllama_perf_context_print: load time = 1 ms\n",
        "loaded meta data with " * 6000 + "\nllama_perf_context_print: load time = 1 ms\n",
    ],
    ids=["rule", "colons", "columns", "line", "rows", "texts", "type", "build", "device", "model"],
)
def test_no_text_takes_the_square_of_its_length(text: str) -> None:
    quickly(text)


@pytest.mark.parametrize("value", ["x'00ff'", "9e999", "-9e999"])
def test_a_value_that_no_record_holds_is_refused(value: str) -> None:
    with pytest.raises(ImportFailed, match="which llama-bench does not write"):
        parse(f"{CREATE}\n{INSERT} ({value}, 512, 0, 64);\n", "a")


def test_results_of_one_line_are_read_one_after_the_other() -> None:
    assert len(parse("[" + ",".join([json.dumps(ROW)] * 5000) + "]", "a").rows) == 5000
