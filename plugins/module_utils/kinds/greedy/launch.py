# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of the test `greedy`: what a server says to fixed prompts, token by token against what its base says.

The base is the reference file in the first build of the run, as it is launched without settings, with as many threads.
Its answers do not change, so that they are asked once and kept.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy import kept
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy.answers import (
    Answer,
    AnswerError,
    ask,
    compared,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import NO_BASE, Base, Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Trouble
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.memory import context_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import (
    LaunchFailed,
    Outcome,
    buffer_metrics,
    usage_metrics,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve import launch as serving
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import ADDRESS, NAME, Server, ServerError
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import GgufError, architecture, read_gguf
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME, STDERR_TAIL

PROGRAM = NAME
METRICS = ("greedy_first_difference", "greedy_same_percent", "greedy_equal_tokens_percent")

# Ours. Each has fewer bytes than PROMPT_TOKENS, so that no tokenizer makes more tokens of it.
PROMPTS = (
    "The capital of France is",
    "At sea level, water boils at a temperature of",
    "The three primary colours are",
    "A triangle has three sides, and a square has",
    "Bread is made of flour, water, salt and",
    "The largest planet of the solar system is",
    "Once upon a time there was a little girl who",
    "She opened the old door slowly, and behind it",
)
# The room for a prompt in the context, with the token that begins a text.
PROMPT_TOKENS = 64
# Known answers are those to these prompts.
PROMPTS_DIGEST = envelope.digest(list(PROMPTS))

# How long a server whose connection broke is watched for its end, which tells more than the connection does.
_END_SECONDS = 2.0
Started = Callable[[int], None]


def argv_of(job: Job, settings: LaunchSettings) -> List[str]:
    """Return the command line of the server, without address and port: that of a server under load, with one slot."""
    return serving.argv_of(job, settings._replace(slots=1))


def obstacle(job: Job) -> Optional[Trouble]:
    """Return why a job cannot be measured on this machine, None when it can."""
    cell, base = job.cell, job.base
    if base is None:
        return NO_BASE
    if not os.access(os.path.join(HOME, base.directory, PROGRAM), os.X_OK):
        return (
            "the build %s, the first, has no %s, of which the reference of the test %s is asked"
            % (base.build["name"], PROGRAM, cell["test"]),
            "Name a build that has it first in llama_cpp_builds, or leave that test out of llama_bench_tests.",
        )
    try:
        model = read_gguf(os.path.join(HOME, job.model_path))
    except (GgufError, OSError) as error:
        return str(error), "Correct that and run again."
    trained = model.metadata.get("%s.context_length" % architecture(model))
    if isinstance(trained, int) and context_of(cell, 1) > trained:
        return (
            "%s takes a context of %d tokens, and the model was trained for %d"
            % (cell["test"], context_of(cell, 1), trained),
            "Ask for fewer tokens.",
        )
    return None


def _answer(server: Server, number: int, n_gen: int) -> Answer:
    """Return what a server says to a prompt. Raises ServerError."""
    try:
        return ask(ADDRESS, server.port, PROMPTS[number], n_gen, max(0.1, server.remaining()), server.headers)
    except AnswerError as error:
        where = "at prompt %d of %d" % (number + 1, len(PROMPTS))
        if error.lost:
            end = time.monotonic() + _END_SECONDS
            while not server.ended() and time.monotonic() < end:
                time.sleep(0.01)
            if server.ended():
                raise server.failure(where) from error
        raise ServerError("%s failed %s: %s" % (NAME, where, error.cause), error.advice, server.text()) from error


def _ask(
    job: Job, settings: LaunchSettings, started: Optional[Started], cell: Dict[str, Any], whose: str = ""
) -> Tuple[Server, List[Answer]]:
    """Start a server, ask it every prompt and end it; return it with its answers. Raises LaunchFailed for `cell`.

    `whose` stands before the cause of a failure.
    """
    argv = argv_of(job, settings)
    server = Server(argv, settings.time_limit, started, settings.environment, settings.cpus, settings.huge_pages)
    try:
        with server:
            answers = [_answer(server, number, cell["n_gen"]) for number in range(len(PROMPTS))]
            if all(answer.empty for answer in answers):
                raise ServerError(
                    "the model ends its answer to every prompt before it says anything",
                    "The file or the build may be broken: ask it by hand, with the command of this record.",
                    server.text(),
                )
    except ServerError as error:
        raise LaunchFailed(
            envelope.failure(
                "measure", whose + error.cause, error.advice, cell, argv=argv, stderr_tail=error.tail[-STDERR_TAIL:]
            )
        ) from error
    return server, answers


def _base_answers(job: Job, base: Base, settings: LaunchSettings) -> List[Answer]:
    """Return what the base of a job says, asked where that is not known. Raises LaunchFailed."""
    cell = job.cell
    of = {
        "build": base.build["id"], "model": base.model["id"], "prompts": PROMPTS_DIGEST, "n_gen": cell["n_gen"],
        # Sums may be split by them, and so be rounded otherwise.
        "threads": cell["threads"], "threads_batch": cell.get("threads_batch") or cell["threads"],
    }  # fmt: skip
    known = kept.read(of)
    if known is not None and len(known) == len(PROMPTS):
        return known
    plain = {name: value for name, value in cell.items() if name not in ("variant", "load", "repack")}
    asked = Job(plain, *base)
    whose = "of the reference, %s in the build %s: " % (cell.get("reference"), base.build["name"])
    answers = _ask(asked, settings._replace(environment={}, huge_pages=True), None, cell, whose)[1]
    try:
        kept.keep(of, answers)
    except OSError as error:
        raise LaunchFailed(
            envelope.failure("measure", "the answers of the reference cannot be kept: %s" % error, "Correct that and "
                             "run again.", cell, argv=argv_of(asked, settings))
        ) from error  # fmt: skip
    return answers


def metrics_of(rows: List[Dict[str, Any]], n_gen: int) -> Dict[str, Dict[str, Any]]:
    """Return the metrics of answers of at most `n_gen` tokens, of rows as answers.compared() makes them."""
    firsts = [row["first_difference"] or n_gen + 1 for row in rows]
    same = sum(row["first_difference"] is None for row in rows)
    equal = sum((row["first_difference"] or row["tokens"] + 1) - 1 for row in rows)
    longest = sum(max(row["tokens"], row["base_tokens"]) for row in rows)
    return {
        "greedy_first_difference": {"value": statistics.median_low(firsts), "unit": "1", "samples": firsts},
        "greedy_same_percent": {"value": round(100 * same / len(rows), 4), "unit": "%"},
        "greedy_equal_tokens_percent": {"value": round(100 * equal / longest, 4), "unit": "%"},
    }


def launch(job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
    """Ask a server and compare what it says with what its base says. Raises LaunchFailed when there is no figure."""
    base = job.base
    if base is None:
        raise LaunchFailed(envelope.failure("measure", *NO_BASE, job.cell))
    known = _base_answers(job, base, settings)
    server, answers = _ask(job, settings, started, job.cell)
    rows = [compared(number, *both) for number, both in enumerate(zip(PROMPTS, known, answers), start=1)]
    kernel = parse_log(server.text())
    metrics = dict(metrics_of(rows, job.cell["n_gen"]), **usage_metrics(server.usage), **buffer_metrics(kernel))
    told = {"base": base.model["id"], "base_build": base.build["id"], "prompts": PROMPTS_DIGEST}
    return Outcome(server.argv, metrics, rows, kernel, server.usage, {"predicted": told})
