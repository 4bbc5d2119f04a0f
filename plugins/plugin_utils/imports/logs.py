# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of llama.cpp's programs: the runs in them, what each was measured with, and its timings.

Sources: src/llama-context.cpp, src/llama-kv-cache.cpp, common/ (build, system_info, common_perf_print),
tools/cli/cli-context.cpp (its banner and last line).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import is_repacked, parse_log
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.figure import number

# Of a unit nobody has more.
_MOST = 1e12
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_POWERS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

_BY = r"(?:llama_print_timings|llama_perf_context_print|common_perf_print|llama_perf_print):\s+"
_LOAD = re.compile(_BY + r"load time =\s+([\d.,]+) ms")
_TIMED = re.compile(
    _BY + r"(prompt eval|eval) time =\s+[\d.,]+ ms /\s+(\d{1,9}) (?:tokens|runs)\s+"
    r"\(\s*(?:[\d.,]+|inf|-?nan) ms per token,\s+([\d.,]+|inf|-?nan) tokens per second\)"
)
# What llama-cli of 2026 ends each answer with: it says no number of tokens.
_ANSWER = re.compile(r"\[ Prompt: ([\d.,]+) t/s \| Generation: ([\d.,]+) t/s \]")
# Where either begins, whole or not.
_TIMING = re.compile(_BY + r"(?:prompt eval|eval) time\b|^\[ Prompt: [\d.,]+", re.MULTILINE)
_FIGURES = re.compile(f"{_TIMED.pattern}|{_ANSWER.pattern}")

_BUILD = re.compile(
    r"(?:^|[\s:])build(?: =|:)? (\d{1,9}) \(([^)\s]{1,100})\)"
    r"(?: with ([^\n]{1,200}?) for ([^\s(]{1,100})[^\n]{0,200})?\s*$",
    re.MULTILINE,
)
_BUILT_WITH = re.compile(r"\bbuilt with ([^\n]{1,200}?) for ([^\s(]{1,100})")
_BANNER = re.compile(r"^build\s+: b(\d{1,9})-(\S{1,100})\s*$", re.MULTILINE)
_LOADED = re.compile(r"loaded meta data with .{1,80} from ([^\n]{1,4096}?) \(version")
# What llama.cpp says of a device that it computes on beside the processor, before it opens the model.
_DEVICE = re.compile(r"using device ([A-Za-z]{1,40})\d* \((.{1,200}?)\)(?: \(|\s+-)[^\n]*")
_OFFLOADED = re.compile(r"offloaded (\d+)/\d+ layers to GPU")
# What tells where a run of a program begins and ends, in the order in which they stand.
_EVENTS = {"build": _BUILD, "banner": _BANNER, "model": _LOADED, "device": _DEVICE, "figure": _FIGURES}
# A program that has ended without its last words.
_ENDED = re.compile(
    r"\b(?:Killed|Terminated|Aborted|Segmentation fault|Illegal instruction|core dumped|GGML_ASSERT|terminate called)\b"
    r"|\b(?:error loading|failed to load|unable to load) model\b|\bfailed to (?:allocate|create)\b"
)
# The head of llama-batched-bench's own table, whose sums its last lines are.
_BATCHED = re.compile(r"^\|\s+PP \|\s+TG \|\s+B \|", re.MULTILINE)
# Sizes with a decimal comma.
_COMMA = re.compile(r"(?<=\d),(?=\d+ (?:[KMGT]?i?B|[KMBT])\b)")

_THREADS = re.compile(r"system_info: n_threads = (\d{1,9})(?: \(n_threads_batch = (\d{1,9})\))? / (\d{1,9})([^\n]*)")
_INFO = r"(?:print_info|llm_load_print_meta):\s*"
_FTYPE = re.compile(r"(?:model ftype|file type)\s+= ([^\n]+)")
_BANNER_FTYPE = re.compile(r"^ftype\s+: (\S[^\n]*)", re.MULTILINE)
_BANNER_MODEL = re.compile(r"^model\s+: (\S[^\n]*)", re.MULTILINE)
_ARCHITECTURE = re.compile(_INFO + r"arch\s+= (\S+)")
_TYPE = re.compile(_INFO + r"model type\s+= (\S+)")
_CONTEXT = {
    name: re.compile(rf"(?:llama_context|llama_new_context_with_model|llama_init_from_model):\s+{name}\s+= (\w+)")
    for name in ("n_ctx", "n_batch", "n_ubatch", "flash_attn")
}
_FLASH_CHOSEN = re.compile(r"Flash Attention was auto, set to (enabled|disabled)")
_FLASH = {"enabled": "1", "disabled": "0", "auto": "-1"}
_CACHE = re.compile(r"\bK \((\w+)\):\s*[\d.,]+ MiB, V \((\w+)\):")
_TIME = re.compile(r"^\W?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)\b", re.MULTILINE)


class Result(NamedTuple):
    """One result of a file: the line it stands on, the process it is of, counted within the file, and its row.

    `kernel` is what the log says of the buffers and layouts that it was measured with, None where that is not known.
    """

    line: int
    process: int
    row: dict[str, Any]
    kernel: dict[str, Any] | None = None


def commit(word: str) -> str | None:
    """Return a commit, None for a word that stands in its place, such as a distribution's."""
    return word if re.fullmatch(r"[0-9a-f]{7,40}", word) else None


def size(amount: str, unit: str, decimals: str = "") -> int | None:
    """Return a size such as 4.33 GiB in bytes, None where it is none."""
    return _times(amount, decimals, _UNITS.get(unit))


def count(amount: str, unit: str, decimals: str = "") -> int | None:
    """Return a number of parameters such as 8.03 B, None where it is none."""
    return _times(amount, decimals, _POWERS.get(unit))


def _times(amount: str, decimals: str, factor: float | None) -> int | None:
    figure = number(amount, decimals)
    return round(figure * factor) if figure is not None and factor and abs(figure) < _MOST else None


class LogRun(NamedTuple):
    """One run of a program: the text of it, where that begins in the log, its figures and the models it opened."""

    text: str
    start: int
    figures: list[re.Match[str]]
    models: list[str]


def runs(text: str) -> list[LogRun]:
    """Return the runs of a log.

    A run begins where a program says its build, its banner, or for want of these opens a model, unless what it has said
    so far belongs to the same beginning: a build, then the model, then perhaps a banner. Of two models that were opened
    without either between them, the second is of the same run unless the program ended in between.
    """
    events = sorted(
        ((match.start(), kind, match) for kind, pattern in _EVENTS.items() for match in pattern.finditer(text)),
        key=lambda event: event[0],
    )
    made = [LogRun(text, 0, [], [])]
    said: set[str] = set()
    end = 0
    for start, kind, match in events:
        if kind != "figure" and _begins(kind, said, text[end:start]):
            made.append(LogRun(text, start, [], []))
            said = set()
        said.add(kind)
        end = match.end()
        if kind == "figure":
            made[-1].figures.append(match)
        if kind == "model" and match.group(1).strip() not in made[-1].models:
            made[-1].models.append(match.group(1).strip())
    ends = [run.start for run in made[1:]] + [len(text)]
    return [run._replace(text=text[run.start : stop]) for run, stop in zip(made, ends, strict=True)]


def _begins(kind: str, said: set[str], between: str) -> bool:
    """Say whether a program begins here, by what the run so far has said and what stands between."""
    if not said:
        return False
    if "figure" in said:
        return True
    if kind == "build":
        return bool(said - {"build"})
    if kind == "banner":
        return "banner" in said
    return "banner" in said or ("model" in said and _ENDED.search(between) is not None)


def _common(text: str) -> dict[str, Any]:
    """Return what a run says of its build, model and settings, as llama-bench would name them."""
    row = {**_of_build(text), **_of_model(text), **_of_context(text), **_of_devices(text)}
    threads = _THREADS.search(text)
    if threads:
        row["cpus"], row["system_info"] = int(threads.group(3)), threads.group(4).strip(" |")
    if dated := _TIME.search(text):
        row["test_time"] = dated.group(1)
    return row


def _of_build(text: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    built = _BUILD.search(text) or _BANNER.search(text)
    if built:
        row["build_number"], row["build_commit"] = int(built.group(1)), built.group(2)
    if built and built.re is _BUILD and built.group(3):
        row["compiler"], row["compiler_target"] = built.group(3, 4)
    elif by := _BUILT_WITH.search(text):
        row["compiler"], row["compiler_target"] = by.groups()
    return row


def _of_model(text: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    named = _LOADED.search(text) or _BANNER_MODEL.search(text)
    if named:
        row["model_filename"] = named.group(1).strip()
    kind = _FTYPE.search(text) or _BANNER_FTYPE.search(text)
    if kind:
        words = [match.group(1) for pattern in (_ARCHITECTURE, _TYPE) if (match := pattern.search(text))]
        row["model_type"] = " ".join([*words, kind.group(1).strip()])
    for field, name, of in (("model_size", "size", size), ("model_n_params", "params", count)):
        said = re.search(rf"(?:model|file) {name}\s+= ([\d.]+) ([KMGTB]\w*)", text)
        if said and (amount := of(said.group(1), said.group(2))):
            row[field] = amount
    return row


def _of_context(text: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    # A program may make more than one context; the last is the one that it computes in.
    for name, pattern in _CONTEXT.items():
        if values := pattern.findall(text):
            row[name] = values[-1]
    if chosen := _FLASH_CHOSEN.findall(text):
        row["flash_attn"] = chosen[-1]
    if "flash_attn" in row:
        row["flash_attn"] = _FLASH.get(row["flash_attn"], row["flash_attn"])
    if cache := _CACHE.findall(text):
        row["type_k"], row["type_v"] = cache[-1]
    return row


def _of_devices(text: str) -> dict[str, Any]:
    """Return what a run computed on beside the processor, and how the weights lay in memory."""
    row: dict[str, Any] = {}
    if devices := list(dict.fromkeys(_DEVICE.findall(text))):
        row["backends"] = ",".join(dict.fromkeys(backend for backend, _name in devices))
        row["gpu_info"] = ", ".join(name for _backend, name in devices)
    if offloaded := _OFFLOADED.findall(text):
        row["n_gpu_layers"] = offloaded[-1]
    weights = {buffer["name"]: buffer for buffer in parse_log(text)["buffers"] if buffer["use"] == "model"}
    if weights:
        row["repack"] = int(any(is_repacked(buffer) for buffer in weights.values()))
        # Mapped or read, as far as the processor has them.
        on_processor = [name for name in weights if name in ("CPU", "CPU_Mapped")]
        if on_processor:
            row["use_mmap"] = int("CPU_Mapped" in on_processor)
    return row


def timings_at(text: str) -> int | None:
    """Return the line of the first timing of a program other than llama-bench, which says no system_info; else None."""
    program = next((match for pattern in (_THREADS, _BANNER, _ANSWER) if (match := pattern.search(text))), None)
    timing = _FIGURES.search(text, program.start()) if program else None
    return None if timing is None else _line(text, timing)


def read(text: str) -> tuple[list[Result], list[str]] | None:
    """Return the results of a log and sentences on what is left out of them; None where it is no log with timings."""
    if not _FIGURES.search(text) and not _LOAD.search(text):
        return None
    results: list[Result] = []
    problems = _cut(text)
    every = runs(text)
    for process, run in enumerate(every):
        why = _left_out(text, run, alone=len(every) == 1)
        of_run, left = ([], [why]) if why else _of_run(text, process, run)
        results += of_run
        problems += left
    return results, problems


def _of_run(text: str, process: int, run: LogRun) -> tuple[list[Result], list[str]]:
    """Return the results of a run, and sentences on what is left out of it."""
    results: list[Result] = []
    problems: list[str] = []
    plain = _COMMA.sub(".", run.text)
    common = _common(plain)
    kernel = parse_log(plain)
    load = _LOAD.search(run.text)
    if load and (ms := number(load.group(1))) is not None:
        common["load_s"] = ms / 1000
    threads = _THREADS.search(run.text)
    timed = [match for match in run.figures if match.group(1)]
    prompt = next((int(match.group(2)) for match in timed if match.group(1) == "prompt eval"), 0)
    if prompt:
        # What is generated stands behind its prompt.
        common["prompt_tokens"] = prompt
    for match in timed:
        of_prompt, tokens = match.group(1) == "prompt eval", int(match.group(2))
        row = {**common, "n_prompt": tokens if of_prompt else 0, "n_gen": 0 if of_prompt else tokens}
        row["avg_ts"] = match.group(3)
        if threads:
            row["n_threads"] = int((of_prompt and threads.group(2)) or threads.group(1))
        # A prompt of one token, or no token at all, is no measurement.
        if tokens > 1:
            results.append(Result(_line(text, match), process, row, kernel))
    answers = [match for match in run.figures if match.group(4)]
    only = timed[-1] if prompt and {match.group(1) for match in timed} == {"prompt eval"} else None
    if only and not _TIMING.search(text, only.end(), run.start + len(run.text)):
        problems.append(f"line {_line(text, only)}: the speed of the output does not follow: cut off or broken")
    if not timed and answers:
        results += [each._replace(kernel=kernel) for each in _answer(text, process, common, threads, answers[0])]
        if answers[1:]:
            problems.append(
                f"line {_line(text, answers[1])}: the answers after the first stand behind a conversation of "
                "unknown length, and are not imported"
            )
    return results, problems


def _left_out(text: str, run: LogRun, alone: bool) -> str:
    """Return why nothing is taken of a run: of a test that is not read, of no model or several; "" of any other."""
    named = " and ".join(run.models)
    if table := _BATCHED.search(run.text):
        at = _line_of(text, run.start + table.start())
        return f"line {at}: this is llama-batched-bench, whose table is not read: batch128+64@c4 is such a test here"
    if not run.figures:
        if alone or not run.models:
            return ""
        return f"line {_line_of(text, run.start)}: a run of {named:.120} without a speed, left out"
    if run.models[1:]:
        return (
            f"line {_line(text, run.figures[0])}: the speeds of a run with several models ({named:.120}), such as a "
            "draft and its target, are not told apart: left out"
        )
    return ""


def _cut(text: str) -> list[str]:
    """Return a sentence on each timing of a log that is not whole."""
    whole = {match.start() for match in _FIGURES.finditer(text)}
    return [
        f"line {_line(text, match)}: a timing that is cut off or broken: {_line_at(text, match.start())!r:.90}"
        for match in _TIMING.finditer(text)
        if match.start() not in whole
    ]


def _line_at(text: str, at: int) -> str:
    return text[at:].partition("\n")[0].strip()


def _answer(
    text: str, process: int, common: dict[str, Any], threads: re.Match[str] | None, match: re.Match[str]
) -> list[Result]:
    """Return the two speeds of llama-cli's last line. Of how many tokens they are it does not say."""
    results = []
    for word, speed in (("pp", match.group(4)), ("tg", match.group(5))):
        row = {**common, "unknown_length": word, "avg_ts": speed, "run_of_log": process + 1}
        if threads:
            row["n_threads"] = int((word == "pp" and threads.group(2)) or threads.group(1))
        results.append(Result(_line(text, match), process, row))
    return results


def _line(text: str, match: re.Match[str]) -> int:
    return _line_of(text, match.start())


def _line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
