# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-batched-bench, with what it prints in place of the process."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.batch.launch import argv_of, launch
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, unable
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, Usage

# As b3826 and 0c1e57098 print it, one line among those of the log.
ROW = {
    "n_kv_max": 1024, "n_batch": 2048, "n_ubatch": 512, "pp": 128, "tg": 64, "pl": 4, "n_kv": 768, "t_pp": 0.04,
    "speed_pp": 12447.0, "t_tg": 0.46, "speed_tg": 555.4, "t": 0.5, "speed": 1536.0,
}  # fmt: skip
IK_OPTIONS = capabilities.parse_help(
    (Path(__file__).parents[5] / "fixtures" / "help" / "llama-batched-bench-ik-0.1.5.txt").read_text("utf-8")
)
USAGE = Usage(2.0, 3.0, 0.1, 100 << 20, 500, 0, 10, 5)

SETTINGS = LaunchSettings(time_limit=60)


def job(**more) -> Job:
    cell = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": 3, **more}
    return Job({**cell, **registry.parse_test("batch128+64@c4")}, "/b", "/m.gguf", {"id": "b"}, {"id": "m"})


def run(stdout: str, **changes):
    finished = Finished([], stdout, "llama_context: n_ctx = 1024\n", 0, None, False, False, USAGE)
    return lambda _argv, _limit, _started: finished._replace(**changes)


def test_the_row_of_what_was_asked_is_the_figure():
    text = "\n" + json.dumps(dict(ROW, pl=1)) + "\n" + json.dumps(ROW) + "\n\n"
    outcome = launch(job(), SETTINGS, run=run(text))
    assert outcome.metrics["batched_tg_tps"] == {"value": 555.4, "unit": "token/s"}
    assert outcome.metrics["batched_pp_tps"]["value"] == 12447.0
    assert outcome.rows == [ROW]
    assert outcome.metrics["rss_peak_bytes"]["value"] == 100 << 20


def test_the_fork_prints_a_table_and_is_refused_for_that():
    """Its --help names all options of its programs but that one."""
    ik = {"id": "b", "name": "ik", "options": {"llama-batched-bench": IK_OPTIONS}}
    one = job()._replace(build=ik)
    argv = argv_of(one)
    assert "--run-time-repack" in argv
    cause, advice = unable(one, "llama-batched-bench", argv)
    assert cause == (
        "build ik has no --output-format, which the test batch128+64@c4 needs of llama-batched-bench: its "
        "llama-batched-bench --help does not name it"
    )
    assert "leave that test out of llama_bench_tests" in advice


@pytest.mark.parametrize(
    ("stdout", "changes", "words"),
    [
        ("", {}, "it has no row of 128 . 64 tokens in 4 sequences"),
        (json.dumps(dict(ROW, pl=8)), {}, "it has no row of"),
        ('{"n_kv_max": 10', {}, "it is not JSON"),
        (json.dumps(dict(ROW, speed_tg=0)), {}, "its speed_tg is 0"),
        (json.dumps(dict(ROW, speed_pp=True)), {}, "its speed_pp is True"),
        (json.dumps(dict(ROW, speed_tg=10**400)), {}, "its speed_tg is 1000"),
        ('{"n_kv_max": ' + "[" * 100_000, {}, "it is not JSON: .* nested without end"),
        ('{"n_kv_max": NaN}', {}, "it holds NaN where a number belongs"),
        ("", {"exit_code": 1}, "llama-batched-bench ended with exit code 1"),
        ("", {"exit_code": None, "signal": signal.SIGILL}, "llama-batched-bench met an instruction"),
        ("", {"timed_out": True}, "ran longer than the time limit of 60 s"),
    ],
)
def test_what_is_no_result_is_a_failure(stdout, changes, words):
    with pytest.raises(LaunchFailed, match=words):
        launch(job(), SETTINGS, run=run(stdout, **changes))


def test_a_program_that_is_not_there():
    with pytest.raises(LaunchFailed, match="could not be started"):
        launch(job()._replace(directory="/nonexistent"), SETTINGS)


def test_the_command_asks_for_the_cell():
    argv = argv_of(job(threads_batch=5))
    given = dict(itertools.pairwise(argv))
    assert argv[0] == "/b/llama-batched-bench"
    assert [given[name] for name in ("-t", "-tb", "-c", "-npp", "-ntg", "-npl")] == ["3", "5", "1024", "128", "64", "4"]
