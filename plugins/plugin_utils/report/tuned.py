# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What searches found: the page templates/tuned.md.j2, the file of variables, and how llama-server is told."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.memory import context_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.space import (
    DROPPED,
    OPEN,
    REFUSED,
    TAKEN,
    TOO_LARGE,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.time_budget import duration
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import progress, summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds, metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown

# What is searched for, in words, and the word for its figure.
_TITLES = {
    "prompts": "Prompts",
    "generation": "Generation",
    "users": "Users at once",
    "memory": "Generation within the memory limit",
}
_FATES = {
    TAKEN: "taken",
    DROPPED: "dropped",
    REFUSED: "refused",
    TOO_LARGE: "over the memory limit",
    OPEN: "undecided",
}
# A server of which nobody has said how long its contexts are.
_CONTEXT = 4096
_PORT = 8080
RULE = (
    "A search launches each configuration beside the best one until then, in the same blocks; a ratio is that of the "
    "figures within a block, with the 95 % t interval of the mean log ratio. One goes when its interval lies below "
    f"+{verdict.MARGIN_PERCENT:g} %; of those that are left half go at the second, fourth, eighth ... block; the one "
    "whose interval lies above 1 is the next best. The ratio to the defaults is of the last blocks alone, in which "
    "both were launched after all was decided. Figures within a search are of one repetition a launch, disturbed or "
    "not: a choice, not a level. `make bench` with the file of variables measures the level."
)


class Searched(NamedTuple):
    """What the index and the page of a machine say of a page of searches: its path, what it is of, its answers."""

    path: str
    machine: str
    name: str
    answers: list[str]


def name(run: Run, payloads: Sequence[Payload]) -> str:
    """Return what was searched for: model and quantization."""
    model = run.models.get(payloads[0]["model"]) or payloads[0]["default"] or {}
    return f"{parts.short_name(str(model.get('name') or model.get('model')))} {model.get('quantization')}"


def searched(path: str, run: Run, payloads: Sequence[Payload]) -> Searched:
    """Return what other pages say of the searches of one page."""
    return Searched(path, run.machine, name(run, payloads), [answer(payload) for payload in payloads])


def items(every: Sequence[Searched], near: Callable[[str], str] = str) -> Markdown | None:
    """Return a list of the pages of searches with their answers, None without any."""
    if not every:
        return None
    return markdown.bullets(
        Markdown(": ".join([markdown.link(f"{each.name} on {each.machine}", near(each.path)), _joined(each.answers)]))
        for each in every
    )


def _joined(answers: Sequence[str]) -> Markdown:
    return Markdown("; ".join(markdown.text(each, None) for each in answers))


def terminal(payloads: Sequence[Payload]) -> list[str]:
    """Return the lines of a terminal for the searches of one page."""
    return [f"  {payload['objective']:<11} {said(payload)}" for payload in payloads]


def _interval(known: Mapping[str, Any] | None) -> Interval | None:
    if not known:
        return None
    mean, low, high = known["mean"], known.get("low"), known.get("high")
    width = None if low is None or high is None else 100 * (high - low) / (2 * mean)
    return Interval(mean, low, high, known["n"], width)


def _times(ratio: Interval) -> str:
    bounds = "" if ratio.low is None or ratio.high is None else f" ({ratio.low:.2f} to {ratio.high:.2f})"
    return f"{ratio.mean:.2f}x{bounds}"


def _how(cell: Payload) -> str:
    """Return a configuration in words: build ik, 2 threads, fa=off."""
    batch = f", {cell['threads_batch']} for prompts" if cell.get("threads_batch") else ""
    settings = f", {cell['variant']}" if cell.get("variant") else ""
    return f"build {cell['build']}, {progress.thread_count(cell)}{batch}{settings}"


def said(payload: Payload) -> str:
    """Return what a search came to, in a phrase."""
    if payload["cell"] is None:
        return f"no configuration: {payload.get('why') or 'nobody knows why'}"
    ratio = _interval(payload.get("ratio"))
    early = "" if payload["ended"] == "verdicts" else ", when the time was over"
    if ratio is None:
        return f"nothing better than the defaults{early}"
    word = verdict.of_ratio(ratio)
    known = "" if word in (verdict.FASTER, verdict.SLOWER) else f", {word}"
    return f"{_times(ratio)} of the defaults{known}{early}: {_how(payload['cell'])}"


def answer(payload: Payload) -> str:
    """Return what was searched for, and what that came to."""
    return f"{payload['objective']}: {said(payload)}"


def context(path: str, run: Run, payloads: Sequence[Payload]) -> dict[str, Any]:
    """Return the variables of templates/tuned.md.j2 for the page `path`, of the `payloads` that it shows."""
    here = posixpath.dirname(path)

    def relative(target: str) -> str:
        return posixpath.relpath(target, here)

    cells = [payload["default"] for payload in payloads if payload["default"]]
    synthetic = any(parts.is_synthetic(run, cell) for cell in cells)
    file = summary.tuned_file(path) if variables(path, run, payloads) else None
    return {
        "title": f"Best configurations of {name(run, payloads)} on {run.machine}",
        "index": markdown.link("All results", relative(summary.INDEX)),
        "machine": markdown.link(run.machine, relative(summary.machine_path(run.machine))),
        "run": run,
        "date": parts.date(run.time),
        "records": parts.records_links(run, relative),
        "synthetic": parts.synthetic_words(cells[0]["model"]) if synthetic else None,
        "emulated": parts.EMULATED_WORDS if summary.emulated(run) else None,
        "answers": markdown.bullets(_verdict(payload) for payload in payloads),
        "table": _table(payloads),
        "searches": [_search(payload) for payload in payloads],
        "file": markdown.link(posixpath.basename(file), relative(file)) if file else None,
        "bench": markdown.fenced(f'make bench ARGS="-e @results/{file}"', "sh") if file else None,
        "servers": _servers(run, payloads),
        "unit": _unit(run, payloads),
        "rule": parts.prose(RULE, None),
        "verdict_rule": parts.prose(parts.VERDICT_RULE, None),
        "command": markdown.fenced(run.plan["command"], "sh") if run.plan else parts.NO_PLAN,
    }


def _title(payload: Payload) -> str:
    return _TITLES.get(payload["objective"], str(payload["objective"]))


def _limit(payload: Payload) -> str:
    limit = payload.get("limit_bytes")
    return f", at most {metrics.with_unit('rss_peak_bytes', limit)}" if limit else ""


def _verdict(payload: Payload) -> Markdown:
    """Return the answer of one search, for the head of the page."""
    test = f" ({payload['default']['test']}{_limit(payload)})" if payload["default"] else ""
    head = markdown.bold(f"{_title(payload)}{test}:")
    if payload["cell"] is None:
        return Markdown(f"{head} {parts.sentence(payload.get('why') or 'nobody knows why there is none')}")
    ratio, figure = _interval(payload.get("ratio")), _interval(payload.get("figure"))
    speed = f"{metrics.number(figure.mean)} token/s" if figure else ""
    ended = "" if payload["ended"] == "verdicts" else " The time was over before all was tried."
    if ratio is None:
        said = f"nothing that was tried is better than the defaults, {speed}: {_how(payload['cell'])}.{ended}"
        return Markdown(f"{head} {markdown.text(said, None)}")
    word = verdict.of_ratio(ratio)
    known = {verdict.FASTER: "", verdict.SLOWER: ""}.get(word, f" ({word}: ~)")
    said = f"of the defaults{known}, {speed}: {_how(payload['cell'])}.{ended}"
    return Markdown(f"{head} {markdown.bold(_times(ratio))} {markdown.text(said, None)}")


def _table(payloads: Sequence[Payload]) -> Markdown:
    lines: list[list[str | None]] = []
    for payload in payloads:
        for label, cell, figure, values in (
            ("default", payload["default"], payload.get("default_figure"), payload.get("default_metrics")),
            ("best", payload["cell"], payload.get("figure"), payload.get("metrics")),
        ):
            ratio = _interval(payload.get("ratio")) if label == "best" else None
            if cell is None or (label == "best" and cell == payload["default"]):
                continue
            known, values = _interval(figure), values or {}
            bounds = metrics.span(known.low, known.high, metrics.decimals(known.mean)) if known else None
            lines.append(
                [
                    f"{_title(payload)}, {cell['test']}",
                    markdown.bold(label) if label == "best" else label,
                    cell["build"],
                    parts.thread_words(cell),
                    markdown.code(cell["variant"]) if cell.get("variant") else "-",
                    metrics.number(known.mean) if known else None,
                    bounds,
                    _times(ratio) if ratio else "-",
                    metrics.with_unit("rss_peak_bytes", values.get("rss_peak_bytes")),
                    _latency(cell, values),
                ]
            )
    columns = [
        ("For", LEFT), ("", LEFT), ("Build", LEFT), ("Threads", RIGHT), ("Settings", LEFT),
        (f"token/s{metrics.NO_BREAK}", RIGHT), ("95 %", RIGHT), ("Ratio", RIGHT), ("Peak memory", RIGHT),
        ("TTFT, TPOT, within targets", LEFT),
    ]  # fmt: skip
    if all(line[-1] == "-" for line in lines):
        columns, lines = columns[:-1], [line[:-1] for line in lines]
    return markdown.table(columns, lines)


def _latency(cell: Payload, values: Mapping[str, float]) -> str:
    """Return what users of a server wait for, "-" of other tests."""
    if kinds.kind_of(cell).name != "serve" or not values:
        return "-"
    answered = values.get("request_rate") or 0
    share = (values.get("goodput_rate") or 0) / answered if answered else 0.0
    waits = [parts.with_unit(metric, values.get(metric)) for metric in ("ttft_s", "tpot_s")]
    return f"{', '.join(waits)}, {100 * share:.0f}{metrics.NO_BREAK}%"


def _search(payload: Payload) -> dict[str, Any]:
    """Return what the page says of how one search went."""
    tried = payload["tried"]
    took = f" in {duration(payload['search_s'])}" if payload.get("search_s") else ""
    disturbed = f", {payload['disturbed']} of them disturbed" if payload.get("disturbed") else ""
    ended = "nothing better was left to try" if payload["ended"] == "verdicts" else "the time was over"
    counts = {fate: sum(each["fate"] == fate for each in tried) for fate in _FATES}
    told = ", ".join(f"{count} {_FATES[fate]}" for fate, count in counts.items() if count)
    words = (
        f"{metrics.plural(len(tried), 'configuration')} beside the defaults ({told or 'none'}), "
        f"{metrics.plural(payload['launches'], 'launch')}{took}{disturbed}. It ended because {ended}."
    )
    lines = [
        [
            each["step"],
            each["build"],
            parts.thread_words(each),
            markdown.code(each["variant"]) if each.get("variant") else "-",
            _times(ratio) if (ratio := _interval(each.get("ratio"))) else "-",
            metrics.number(ratio.n) if ratio else "-",
            markdown.lines(
                markdown.bold(_FATES[TAKEN]) if each["fate"] == TAKEN else _FATES.get(each["fate"], each["fate"]),
                markdown.small(parts.prose(each["why"])) if each.get("why") else None,
            ),
        ]
        for each in tried
    ]
    columns = [
        ("Searched", LEFT), ("Build", LEFT), ("Threads", RIGHT), ("Settings", LEFT),
        ("Ratio to the best until then", RIGHT), ("n", RIGHT), ("", LEFT),
    ]  # fmt: skip
    return {
        "heading": markdown.heading(3, _title(payload)),
        "words": words,
        "tried": markdown.details("What was tried", markdown.table(columns, lines)) if lines else None,
    }


# ---- The file of variables ----


def variables(path: str, run: Run, payloads: Sequence[Payload]) -> str | None:
    """Return the text of the file by which `make bench` measures what was found, None where nothing was.

    The defaults are among it. Each line is JSON, which YAML is a superset of, but for the texts that _literal() marks.
    """
    best = [payload for payload in payloads if payload["cell"]]
    if not best:
        return None
    cells = [cell for payload in best for cell in (payload["default"], payload["cell"])]
    asked = ((run.plan or {}).get("tune") or {}).get("variables") or {}
    named = {cell["build"]: None for cell in cells}
    entries = [entry for entry in asked.get("llama_cpp_builds") or [] if _build_name(entry) in named]
    models = [entry for entry in asked.get("llama_model_models") or [] if _model_name(entry) == cells[0]["model"]]
    users = max((cell.get("concurrency", 0) for cell in cells), default=0)
    content = {
        "llama_model_models": models or [cells[0]["model"]],
        "llama_model_quantizations": [cells[0]["quantization"]],
        "llama_cpp_builds": entries or list(named),
        "llama_bench_tests": list(dict.fromkeys(cell["test"] for cell in cells)),
        "llama_bench_threads": sorted({cell["threads"] for cell in cells}),
        "llama_bench_variants": list(dict.fromkeys(cell.get("variant") or variant.PLAIN for cell in cells)),
        **({"llama_bench_slots": users} if users else {}),
    }
    head = [f'# make bench ARGS="-e @results/{summary.tuned_file(path)}"']
    head += [f"# {_comment(answer(payload))}" for payload in best]
    return "\n".join([*head, "---", *(f"{key}: {_literal(value)}" for key, value in content.items())]) + "\n"


def _literal(value: Any) -> str:
    """Return a value as YAML in one line, texts that Ansible would take for templates marked as none."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_literal(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_literal, value)) + "]"
    # Records come from elsewhere too, and the file is for -e of ansible-playbook.
    unsafe = "!unsafe " if isinstance(value, str) and re.search(r"\{[{%#]", value) else ""
    return unsafe + json.dumps(value)


def _comment(text: str) -> str:
    return markdown.visible(text.replace(metrics.NO_BREAK, " "))


def _build_name(entry: Any) -> str:
    try:
        return builds.build_name(entry)
    except builds.BuildError:
        return ""


def _model_name(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, Mapping) else str(entry)


# ---- llama-server ----


class Server(NamedTuple):
    """How llama-server is started with a configuration: paths from the home directory, and environment.

    `options` are threads and settings; `argv` has also how many requests of which length are answered, and where.
    """

    options: list[str]
    argv: list[str]
    environment: dict[str, str]
    remark: str | None


def server_of(run: Run, payload: Payload, payloads: Sequence[Payload]) -> Server | None:
    """Return how llama-server is told what a search found, None where its launch does not say where things lie."""
    cell, argv = payload["cell"], payload.get("argv") or []
    if cell is None or "-m" not in argv[:-1]:
        return None
    build = run.builds.get(payload.get("build") or "") or {}
    model = run.models.get(payload["model"]) or {}
    job = Job(cell, posixpath.dirname(argv[0]), argv[argv.index("-m") + 1], build, model)
    prompts = next((each["cell"] for each in payloads if each["objective"] == "prompts" and each["cell"]), None)
    batch = cell.get("threads_batch") or cell["threads"]
    if payload["objective"] == "generation" and prompts and prompts["build"] == cell["build"]:
        batch = prompts["threads"]
    slots = cell.get("concurrency", 1)
    size = context_of(cell, slots) if "concurrency" in cell else _CONTEXT
    options = ["-t", str(cell["threads"]), "-tb", str(batch), *variant.argv(job, "llama-server")]
    words = [posixpath.join(job.directory, "llama-server"), "-m", job.model_path, *options]
    words += ["-np", str(slots), "-c", str(size), "--host", "127.0.0.1", "--port", str(_PORT)]
    settings = variant.applied(job, LaunchSettings(environment=summary.environment(run)))
    off = "thp=off has no option: it is prctl(2) of the program that starts it" if not settings.huge_pages else None
    return Server(options, words, dict(settings.environment), off)


def _from_home(word: str, home: str) -> str:
    """Return a path of a launch, which is from the home directory where it is relative."""
    return word if os.path.isabs(word) else f"{home}/{word}"


def _servers(run: Run, payloads: Sequence[Payload]) -> list[dict[str, Any]]:
    """Return a line for the shell for each search that found something."""
    told = []
    for payload in payloads:
        server = server_of(run, payload, payloads)
        if server is None:
            continue
        program, _m, model, *rest = server.argv
        words = [f'"$HOME"/{shlex.quote(path)}' if not os.path.isabs(path) else shlex.quote(path)
                 for path in (program, model)]  # fmt: skip
        settings = [f"{key}={shlex.quote(value)}" for key, value in sorted(server.environment.items())]
        line = " ".join([*settings, words[0], "-m", words[1], *map(shlex.quote, rest)])
        told.append(
            {
                "title": _title(payload),
                "line": markdown.fenced(line, "sh"),
                "remark": server.remark and f"{server.remark}.",
            }
        )
    return told


def _unit(run: Run, payloads: Sequence[Payload]) -> Markdown | None:
    """Return a unit of systemd for the server: that for users where they were searched for, else for generation."""
    ranks = ("users", "memory", "generation", "prompts")
    best = sorted(
        (each for each in payloads if each["objective"] in ranks), key=lambda each: ranks.index(each["objective"])
    )
    for payload in best:
        server = server_of(run, payload, payloads)
        if server is None:
            continue
        program, _m, model, *rest = server.argv
        words = [_from_home(program, "%h"), "-m", _from_home(model, "%h"), *rest]
        # In it $ means nothing (systemd.exec(5)).
        environment = [
            f"Environment={_quoted(f'{key}={value}', dollar='$')}" for key, value in sorted(server.environment.items())
        ]
        lines = [
            "# ~/.config/systemd/user/llama-server.service",
            "[Unit]",
            f"Description=llama-server, {_comment(answer(payload))}".replace("%", "%%"),
            "",
            "[Service]",
            *environment,
            f"ExecStart={' '.join(map(_quoted, words))}",
            "Restart=on-failure",
            "",
            "[Install]",
            "WantedBy=default.target",
        ]
        return markdown.fenced("\n".join(lines), "ini")
    return None


def _quoted(word: str, dollar: str = "$$") -> str:
    """Return a word as systemd reads it (systemd.syntax(7)); %h at its beginning is the home directory.

    `dollar`: what stands for a $, which in the line of a command begins the name of a variable.
    """
    home, rest = ("%h", word[2:]) if word.startswith("%h/") else ("", word)
    plain = rest.replace("%", "%%")
    if re.fullmatch(r"[A-Za-z0-9_./:=,%+@-]+", plain):
        return home + plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"').replace("$", dollar)
    return f'"{home}{markdown.visible(escaped)}"'
