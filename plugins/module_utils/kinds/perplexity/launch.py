# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-perplexity: how far the next token that a file predicts is from what its base predicts.

A launch takes one part of a text. The base is asked first, and what it predicts for each token is kept in a file of
log probabilities, which all cells with this base read for this part; then another part takes its place. So there is
one such file for each base, and a run that is cut goes on with the part at which it was.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import one_shot, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Base, Job, explain, no_base, where_known
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell, Started, Trouble
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import OutputError, Row, Run, run_process
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity import parts
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import (
    ArraySummary,
    Gguf,
    GgufError,
    read_gguf,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope, json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import SpaceError, require_space
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME, STDERR_TAIL, Finished

PROGRAM = "llama-perplexity"
# From process.HOME.
DIRECTORY = os.path.join(".cache", "cloudbench", "quality")
# Of fewer tokens llama-perplexity gives no statistics.
FEWEST_TOKENS = 100
_TOKENS = "tokenizer.ggml.tokens"

# What it prints, by the name of a figure here: the label, and the factor that makes a share a per cent figure.
_FIGURES = {
    "ppl": r"Mean PPL\(Q\)",
    "ppl_base": r"Mean PPL\(base\)",
    "ppl_ratio": r"Mean PPL\(Q\)/PPL\(base\)",
    "kld_mean": r"Mean +KLD",
    "kld_median": r"Median +KLD",
    "kld_p99": r"99\.0% +KLD",
    "p_change_rms_percent": r"RMS Δp",
    "top1_percent": r"Same top p",
}
_NUMBER = r" *: *([^ ±%\n]+)"
_CHUNKS = re.compile(r"(?:over|of) (\d+) chunks")
# Where it has begun to compare, and the last of what it says.
_BEGUN, _WHOLE = re.compile(r"(?m)^chunk +PPL "), re.compile(r"(?m)^Same top p *:.*\n")
_ATTEMPTS = 12
_TOO_SHORT = re.compile(r"tokenizes to only (\d+) tokens")


def scored(cell: Cell) -> int:
    """Return how many tokens of a launch are scored: of each chunk those of its second half but the last."""
    tokens: int = cell["chunks"] * (cell["n_prompt"] - 1 - cell["n_prompt"] // 2)
    return tokens


def tokens(cell: Cell) -> int:
    """Return how many tokens of a text one launch takes, two chunks at least: it wants no less."""
    return int(max(2, cell["chunks"]) * cell["n_prompt"])


def _vocabulary(model: Gguf) -> int:
    listed = model.metadata.get(_TOKENS)
    return listed.length if isinstance(listed, ArraySummary) else 0


def kept_bytes(cell: Cell, vocabulary: int) -> int:
    """Return the bytes of the file of what a base predicts: a header, the tokens, and of each that is scored a row.

    Source: perplexity() in tools/perplexity/perplexity.cpp of 0c1e57098: two bytes for each word of the vocabulary.
    """
    row = 2 * (2 * ((vocabulary + 1) // 2) + 4)
    return int(20 + 4 * cell["chunks"] * cell["n_prompt"] + scored(cell) * row)


def _listing(model: Gguf) -> bytes:
    """Return the digest of the words of a vocabulary, as they stand in the file."""
    begin, end = model.spans.get(_TOKENS, (0, 0))
    with open(model.path, "rb") as file:
        file.seek(begin)
        return hashlib.sha256(file.read(end - begin)).digest()


def obstacle(job: Job, launches: int) -> Optional[Trouble]:
    """Return why a job cannot be measured on this machine, None when it can: its base, its text, the room for both."""
    cell, base = job.cell, job.base
    if base is None:
        return no_base(cell)
    try:
        model, other = (read_gguf(os.path.join(HOME, path)) for path in (job.model_path, base.model_path))
        if (_vocabulary(model), _listing(model)) != (_vocabulary(other), _listing(other)):
            return (
                "%s has another vocabulary (%d tokens) than its reference %s (%d tokens): what they predict cannot be "
                "compared" % (job.model_path, _vocabulary(model), base.model_path, _vocabulary(other)),
                "Take a reference of the very model, made of the same original.",
            )
        trained = model.metadata.get("%s.context_length" % model.metadata.get("general.architecture"))
        if isinstance(trained, int) and cell["n_prompt"] > trained:
            return (
                "%s asks for a context of %d tokens, and the model was trained for %d"
                % (cell["test"], cell["n_prompt"], trained),
                "Ask for a shorter context.",
            )
        there = parts.count(cell["text"], tokens(cell))
        if there < launches:
            return (
                "the text %s has %d parts of %d tokens, and %d launches take one each"
                % (cell["text"], there, tokens(cell), launches),
                "Take a longer text, fewer chunks in the test or fewer launches (llama_bench_launches).",
            )
        needed = kept_bytes(cell, _vocabulary(model))
        require_space(os.path.join(HOME, DIRECTORY), needed, "the log probabilities of %s" % cell["test"])
    except (GgufError, parts.TextError, SpaceError, OSError) as error:
        return str(error), "Correct that and run again."
    return None


class _Kept(NamedTuple):
    """The log probabilities of a base, from process.HOME, and beside them what they are of."""

    path: str
    of: Dict[str, Any]

    @property
    def note(self) -> str:
        return self.path + ".json"

    def there(self) -> bool:
        """Say whether they are on the disk, whole and of this part."""
        try:
            with open(os.path.join(HOME, self.note), encoding="utf-8") as file:
                known = json_text.loads(file.read())
            return bool(known == dict(self.of, bytes=os.path.getsize(os.path.join(HOME, self.path))))
        except (OSError, ValueError):
            return False

    def keep(self) -> None:
        """Say that they are whole. Raises OSError."""
        said = dict(self.of, bytes=os.path.getsize(os.path.join(HOME, self.path)))
        with open(os.path.join(HOME, self.note), "w", encoding="utf-8") as file:
            json.dump(said, file)

    def remove(self) -> None:
        """Remove them, and what they are of first."""
        for path in (self.note, self.path):
            try:
                os.unlink(os.path.join(HOME, path))
            except FileNotFoundError:
                pass


def _kept(job: Job, base: Base, part: int) -> _Kept:
    cell = job.cell
    of = {
        "build": base.build["id"], "model": base.model["id"], "text": cell["text"], "part": part,
        "n_prompt": cell["n_prompt"], "chunks": cell["chunks"],
    }  # fmt: skip
    place = envelope.digest({key: value for key, value in of.items() if key != "part"})
    return _Kept(os.path.join(DIRECTORY, place + ".logits"), of)


def _asked(job: Job, directory: str, model_path: str, kept: str) -> List[str]:
    cell = job.cell
    argv = [os.path.join(directory, PROGRAM), "-m", model_path, "-t", str(cell["threads"])]
    # A batch is a chunk: with llama.cpp's own 2048 tokens four times the memory would hold what is predicted.
    argv += ["-tb", str(cell["threads"]), "-c", str(cell["n_prompt"]), "-b", str(cell["n_prompt"])]
    return argv + ["--kl-divergence-base", kept]


def argv_of(job: Job) -> List[str]:
    """Return the command line of one launch, which reads what the base predicts."""
    base = job.base or Base(job.directory, job.model_path, job.build, job.model)
    argv = _asked(job, job.directory, job.model_path, _kept(job, base, 1).path)
    # Whose kernels are asked about, it names each tensor that it repacks.
    told = [] if "reference" in job.cell else where_known(job, PROGRAM, ("-lv", "5"))
    return argv + ["--kl-divergence"] + told + variant.argv(job, PROGRAM)


def _size(kept: _Kept) -> int:
    try:
        return os.path.getsize(os.path.join(HOME, kept.path))
    except FileNotFoundError:
        return 0


def _ask_base(job: Job, base: Base, settings: LaunchSettings, kept: _Kept, run: Run) -> None:
    """Have the base predict a part of the text. Raises LaunchFailed, OSError, TextError, SpaceError and GgufError."""
    cell = job.cell
    os.makedirs(os.path.join(HOME, DIRECTORY), exist_ok=True)
    kept.remove()
    needed = kept_bytes(cell, _vocabulary(read_gguf(os.path.join(HOME, base.model_path))))
    require_space(os.path.join(HOME, DIRECTORY), needed, "the log probabilities of %s" % cell["test"])
    part = kept.path + ".txt"
    with open(os.path.join(HOME, part), "wb") as file:
        file.write(parts.part(cell["text"], tokens(cell), kept.of["part"]))
    argv = _asked(job, base.directory, base.model_path, kept.path) + ["-f", part, "--chunks", str(cell["chunks"])]
    if "reference" not in cell:
        # The plainest way to compute: what is repacked is to say what it says. A build that cannot be told so is from
        # before there was any repacking at run time.
        plain = job._replace(cell=dict(cell, repack=False, variant=""), build=base.build)
        told = variant.argv(plain, PROGRAM)
        argv += where_known(plain, PROGRAM, *([tuple(told)] if told else []))
    try:
        finished = run(argv, settings._replace(environment={}), None)
    finally:
        os.unlink(os.path.join(HOME, part))
    explained = explain(finished, settings.time_limit, "%s of the base" % PROGRAM)
    short = _TOO_SHORT.search(finished.stdout + finished.stderr)
    if short:
        explained = (
            "part %d of the text %s has %s tokens, and %s takes %d"
            % (kept.of["part"], cell["text"], short.group(1), cell["test"], tokens(cell)),
            "Take another text, or fewer chunks in the test.",
        )
    done = _CHUNKS.search(finished.stdout + finished.stderr)
    if not explained and done and int(done.group(1)) != cell["chunks"]:
        explained = (
            "part %d of the text %s gives %s chunks of %d tokens, and %s takes %d"
            % (kept.of["part"], cell["text"], done.group(1), cell["n_prompt"], cell["test"], cell["chunks"]),
            "Take another text, or fewer chunks in the test.",
        )
    if not explained and _size(kept) != needed:
        # What it cannot write it says nothing of.
        explained = (
            "%s of the base ended well and kept %d of %d bytes" % (PROGRAM, _size(kept), needed),
            "See that there is room in %s; read stderr_tail." % os.path.join(HOME, DIRECTORY),
        )
    if explained:
        kept.remove()
        raise LaunchFailed(
            envelope.failure("measure", *explained, cell, argv=argv, stderr_tail=finished.stderr[-STDERR_TAIL:])
        )
    kept.keep()


def parse(text: str) -> Row:
    """Return the statistics in what llama-perplexity prints, by the names of _FIGURES. Raises OutputError."""
    row: Row = {}
    for name, label in _FIGURES.items():
        match = re.search(r"(?m)^%s%s" % (label, _NUMBER), text)
        if not match:
            raise OutputError("it has no line %s" % re.sub(r"\\| \+", "", label))
        try:
            row[name] = float(match.group(1))
        except ValueError as error:
            raise OutputError("its %s is %.40r" % (name, match.group(1))) from error
        if not math.isfinite(row[name]):
            raise OutputError(
                "its %s is %.40s: the file or the build is broken, for weights that are whole predict something"
                % (name, match.group(1))
            )
    return row


def _in_full(run: Run) -> Run:
    """Return `run`, again and again while the program ends well without its last words.

    What llama-perplexity prints goes through a thread that nobody waits for in the end (llama.cpp issue 22142;
    common_log_main() in common/log.cpp of 0c1e57098): of a tiny model, which is freed at once, the statistics of every
    second process are lost. Again the same is computed, and nothing is timed: no figure depends on how often.
    """

    def attempts(argv: List[str], settings: LaunchSettings, started: Optional[Started]) -> Finished:
        spent = 0.0
        for _attempt in range(_ATTEMPTS):
            finished = run(argv, settings, started)
            spent += finished.usage.wall_s
            cut = _BEGUN.search(finished.stdout) and not _WHOLE.search(finished.stdout)
            if finished.exit_code or finished.signal or finished.timed_out or not cut or spent > settings.time_limit:
                break
        return finished

    return attempts


def launch(
    job: Job, settings: LaunchSettings, prefix: str, started: Optional[Started] = None, run: Run = run_process
) -> Outcome:
    """Compare what a file predicts of a part of the text with its base, the part by the number of the launch.

    `prefix` stands before the names of the metrics. Raises LaunchFailed when there is no figure.
    """
    base = job.base
    if base is None:
        raise LaunchFailed(envelope.failure("measure", *no_base(job.cell), job.cell))
    kept = _kept(job, base, settings.number)
    argv = argv_of(job)
    try:
        if not kept.there():
            _ask_base(job, base, settings, kept, run)
    except (OSError, GgufError, SpaceError, parts.TextError) as error:
        raise LaunchFailed(
            envelope.failure("measure", str(error), "Correct that and run again.", job.cell, argv=argv)
        ) from error
    units = {"ppl": "1", "ppl_base": "1", "ppl_ratio": "1", "top1_percent": "%", "p_change_rms_percent": "%"}

    def figures(row: Row) -> Dict[str, Dict[str, Any]]:
        return {prefix + name: {"value": value, "unit": units.get(name, "nat")} for name, value in row.items()}

    outcome = one_shot.launch(job, argv, settings, started, _in_full(run), parse, figures)
    told = {
        "part": settings.number, "tokens": scored(job.cell), "base": base.model["id"], "base_build": base.build["id"],
    }  # fmt: skip
    return outcome._replace(detail={"predicted": told})
