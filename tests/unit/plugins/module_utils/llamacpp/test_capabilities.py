# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"

# Lines of the forms that llama.cpp's programs print their options in.
FORMS = """usage: build/bin/llama-x [options]

----- common params -----

-h,    --help, --usage                  print usage and exit
--version                               show version and build info
-t,    --threads N                      number of threads to use during generation (default:
                                        -1, as many as there are; see --cpu-mask)
                                        (env: LLAMA_ARG_THREADS)
-kvu,  --kv-unified, -no-kvu, --no-kv-unified
                                        use one buffer for all, -1 = unlimited
  -pg <pp,tg>                                       (default: )
  -ot --override-tensor <tensor name pattern>=<buffer type>;...
-sm,   --split-mode {none,layer,row}    how to split, --not-an-option
"""


def of(program: str, version: str) -> list[str]:
    return capabilities.parse_help((FIXTURES / "help" / f"{program}-{version}.txt").read_text("utf-8"))


def test_options_are_taken_and_values_and_descriptions_are_not():
    assert capabilities.parse_help(FORMS) == [
        "--help", "--kv-unified", "--no-kv-unified", "--override-tensor", "--split-mode", "--threads", "--usage",
        "--version", "-h", "-kvu", "-no-kvu", "-ot", "-pg", "-sm", "-t",
    ]  # fmt: skip


def test_what_the_programs_of_b3826_name():
    bench, batched = of("llama-bench", "b3826"), of("llama-batched-bench", "b3826")
    assert (len(bench), len(batched)) == (51, 143)
    assert {"-m", "--model", "-t", "-p", "-n", "-r", "-o", "-v", "-mmp", "-pg", "--delay"} <= set(bench)
    assert not {"-d", "--load-mode", "--repack"} & set(bench)
    assert {"-m", "-t", "-tb", "-c", "-npp", "-ntg", "-npl", "--output-format", "--version"} <= set(batched)
    # The example of a command, in the last line, is no option: `[-pps]`.
    assert not [name for name in bench + batched if "[" in name or "," in name]


def test_what_the_llama_bench_of_ik_llama_cpp_names():
    bench = of("llama-bench", "ik-0.1.5")
    assert {"-m", "-t", "-p", "-n", "-r", "-o", "-v", "-mmp", "-fa", "-rtr", "--run-time-repack", "-thp"} <= set(bench)
    assert not {"-d", "--load-mode", "--repack", "--version"} & set(bench)
    batched = of("llama-batched-bench", "ik-0.1.5")
    assert len(batched) == 338
    assert {"-m", "-t", "-tb", "-c", "-npp", "-ntg", "-npl", "-np", "--run-time-repack", "--version"} <= set(batched)
    assert not {"--output-format", "-rtr", "--load-mode"} & set(batched)


def test_a_llama_bench_of_2024_refuses_what_came_later():
    build = {"name": "legacy", "options": {"llama-bench": of("llama-bench", "b3826")}}
    argv = ["bin/llama-bench", "-m", "x.gguf", "-t", "2", "-p", "512", "-n", "0", "-r", "2", "-o", "jsonl", "-v"]
    assert capabilities.refusal(build, "llama-bench", argv, "the test pp512") is None
    assert capabilities.refusal(build, "llama-bench", [*argv, "-d", "4096"], "the test pp512@d4096") == (
        "build legacy has no -d, which the test pp512@d4096 needs of llama-bench: it is older than llama.cpp's pull "
        "request 13096 of April 2025"
    )


def test_a_llama_server_of_2024_refuses_what_came_later():
    """The command of a test of serving (kinds/serve)."""
    build = {"name": "legacy", "options": {"llama-server": of("llama-server", "b3826")}}
    argv = ["bin/llama-server", "-m", "x.gguf", "-t", "2", "-tb", "2", "-np", "4", "-c", "4096"]
    assert capabilities.lacks(build, "llama-server", [*argv, "--host", "127.0.0.1", "--port", "1"]) == []
    argv += ["--no-webui", "--cache-ram", "0", "--no-slots", "-fit", "off"]
    assert capabilities.lacks(build, "llama-server", argv) == ["--no-webui", "--cache-ram", "-fit"]
    assert "pull request 10751 of December 2024" in capabilities.refusal(build, "llama-server", argv, "the test load")


def test_options_of_a_usage_are_taken():
    assert capabilities.parse_help("usage: llama-roofline --threads N --bytes B --repetitions R\n") == [
        "--bytes",
        "--repetitions",
        "--threads",
    ]
    quantize = {
        name: capabilities.parse_help((FIXTURES / "llama-quantize" / f"help-{name}.txt").read_text("utf-8"))
        for name in ("0c1e57098", "b3826")
    }
    for known in quantize.values():
        assert {"--allow-requantize", "--pure", "--imatrix", "--override-kv"} <= set(known)
        assert not [name for name in known if not name.startswith("--")]
    assert "--keep-split" in quantize["b3826"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("version: 3826 (ea9c32be)\nbuilt with cc 12 for x86_64-linux-gnu\n", (None, 3826)),
        ("version: 0 (unknown)\n", (None, None)),
        ("load_backend: x\nversion: 0.5.0 (build 0, commit 0c1e57098)\n", ("0.5.0", None)),
        ("version: 0.5.0-dev (build 11669, commit 0c1e57098)\n", ("0.5.0-dev", 11669)),
        ("llama-roofline\n", (None, None)),
        ("", (None, None)),
    ],
)
def test_a_version_is_what_the_program_says(text, version):
    assert capabilities.parse_version(text) == version


BENCH = {"name": "legacy", "options": {"llama-bench": ["--model", "-fa", "-m", "-n", "-p", "-r", "-t"]}}


def test_what_is_not_recorded_is_not_known_and_refuses_nothing():
    for build in ({}, {"options": None}, {"options": {}}, {"options": {"llama-bench": "x"}}):
        assert capabilities.knows(build, "llama-bench", "-d") is None
        assert capabilities.lacks(build, "llama-bench", ["llama-bench", "-d", "512"]) == []
        assert capabilities.refusal(build, "llama-bench", ["llama-bench", "-d", "512"], "the test x") is None
    assert capabilities.knows(BENCH, "llama-bench", "-fa") is True
    assert capabilities.knows(BENCH, "llama-bench", "-d") is False
    assert capabilities.knows(BENCH, "llama-server", "-m") is None


def test_the_options_of_a_command_are_not_its_values():
    argv = ["-x/llama-bench", "-m", "/models/a b.gguf", "-ngl", "-1", "--poll=50", "-m", "-", "512"]
    assert capabilities.asked(argv) == ["-m", "-ngl", "--poll"]


def test_what_a_build_lacks_is_named_with_what_it_came_with():
    argv = ["bin/llama-bench", "-m", "x", "-d", "512", "--load-mode", "none", "--frobnicate", "1"]
    assert capabilities.lacks(BENCH, "llama-bench", argv) == ["-d", "--load-mode", "--frobnicate"]
    assert capabilities.refusal(BENCH, "llama-bench", argv, "the test tg8@d512") == (
        "build legacy has no -d, --load-mode, --frobnicate, which the test tg8@d512 needs of llama-bench: it is older "
        "than llama.cpp's pull request 13096 of April 2025; it is older than llama.cpp's pull request 20834 of March "
        "2026; its llama-bench --help does not name it"
    )
    assert capabilities.refusal(BENCH, "llama-bench", ["bin/llama-bench", "-m", "x"], "the test pp8") is None


def test_a_younger_build_that_lost_an_option_is_not_called_older():
    younger = {"name": "new", "options": {"llama-server": ["--load-mode", "-m"]}}
    said = capabilities.refusal(younger, "llama-server", ["llama-server", "--no-webui"], "the test load")
    assert said.endswith(
        "has no --no-webui, which the test load needs of llama-server: its llama-server --help does not name it"
    )
