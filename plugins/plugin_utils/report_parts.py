# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and figures that more than one page uses."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.llama_shapes import PRESETS
from ansible_collections.cloudbench.llama.plugins.plugin_utils import markdown, metrics, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.summary import Payload, Record, Row, Run

# How many reasons, and how much of each, a table cell holds; all of them stand in a list of their own.
INLINE_REASONS = 2
INLINE_CHARACTERS = 120

RECORDS_RULE = (
    "Speed is in tokens per second, as llama-bench gives it: no sampling, no tokenizing. A figure is the geometric "
    "mean over launches, each a fresh process, with the 95 % t interval of that mean."
)
STATES_RULE = (
    f"VALID: {summary.ENOUGH_LAUNCHES} launches or more, an interval within ±{summary.ENOUGH_PERCENT:g} %, no launch "
    "disturbed. UNSTABLE: fewer launches or a wider interval. INVALID: at least one launch was disturbed; its "
    "figure is shown and never ranked. MISSING: planned and not measured."
)
TIE_RULE = Markdown("`~`: the intervals overlap, so no difference from the fastest is established.")


def date(time: str) -> str:
    """Return the time of a record to the minute: 2026-11-23 15:55 UTC."""
    return f"{time[:10]} {time[11:16]} UTC"


def plural(count: int, noun: str) -> str:
    """Return `2 launches`, `1 launch`."""
    ending = "" if count == 1 else "es" if noun.endswith("ch") else "s"
    return f"{metrics.number(count)} {noun}{ending}"


def interval(row: Row | None) -> str:
    """Return the bounds of the interval of `row`, to the decimals of its mean; N/A when there are none."""
    if row is None or row.interval is None:
        return metrics.NOT_AVAILABLE
    return metrics.span(row.interval.low, row.interval.high, metrics.decimals(row.interval.mean))


def mean(row: Row | None) -> str:
    """Return the mean of `row` in token/s."""
    return metrics.number(row.interval.mean) if row and row.interval else metrics.NOT_AVAILABLE


def brief(row: Row) -> Markdown:
    """Return the state of `row` with its reasons in a few words, for the index."""
    if row.state == summary.INVALID:
        disturbed = sum(record["payload"]["validity"]["state"] != summary.VALID for record in row.launches)
        return markdown.join([row.state, f"{disturbed} of {plural(len(row.launches), 'launch')} disturbed"])
    return markdown.join([row.state, *row.reasons])


def badge(row: Row) -> Markdown:
    """Return the state of `row` with the first of its reasons, for a table cell."""
    if not row.reasons:
        return markdown.text(row.state)
    shown: list[object] = [markdown.text(reason, INLINE_CHARACTERS) for reason in row.reasons[:INLINE_REASONS]]
    if len(row.reasons) > INLINE_REASONS:
        shown.append(f"and {plural(len(row.reasons) - INLINE_REASONS, 'more reason')}")
    return markdown.lines(
        markdown.bold(row.state), markdown.small(Markdown("<br>".join(markdown.text(s) for s in shown)))
    )


def test_words(cell: Payload) -> str:
    """Return the test of a cell: pp512, or tg128, depth 4,096."""
    depth = f", depth {metrics.number(cell['n_depth'])}" if cell["n_depth"] else ""
    return f"{cell['test']}{depth}"


def cell_words(cell: Payload, several_builds: bool = True) -> str:
    """Return a cell in words: tg128, depth 4,096, 2 threads, build default."""
    build = f", build {cell['build']}" if several_builds else ""
    return f"{test_words(cell)}, {plural(cell['threads'], 'thread')}{build}"


def synthetic_words(model: str) -> str:
    """Return the sentence that stands on every page of a model with random weights."""
    preset = PRESETS.get(model)
    shape = (
        f"the exact shape of {preset.title}" if preset and preset.source.startswith("config.json") else "a Llama shape"
    )
    return (
        f"Synthetic weights: {shape} with random values. Speed, memory and load are as with real weights; the text it "
        "generates is meaningless, so nothing here says anything about quality."
    )


EMULATED_WORDS = (
    "Emulated processor: these figures come from a program that imitates the processor. They prove that the whole way "
    "works, and which kernels are chosen; they say nothing about the speed of the real machine and are never ranked "
    "with measured ones."
)


def is_synthetic(run: Run, cell: Payload) -> bool | None:
    """Say whether the model of `cell` has random weights; None when no model record of the run tells."""
    known = models(run, [cell], [])
    if known:
        return any(model["synthetic"] for model in known)
    return True if cell["model"].endswith("-synthetic") else None


def models(run: Run, cells: Sequence[Payload], launches: Sequence[Record]) -> list[Payload]:
    """Return the model payloads of `run` that `launches` used; without any, those with the names of `cells`."""
    used = {record["payload"]["model"] for record in launches}
    if used:
        return [run.models[key] for key in sorted(used) if key in run.models]
    names = {(cell["model"], cell["quantization"]) for cell in cells}
    return [model for _key, model in sorted(run.models.items()) if (model["name"], model["quantization"]) in names]


def failure_item(where: Sequence[object], record: Record) -> Markdown:
    """Return a failure for a list: where, phase and cell, the cause, and on a line of its own what to do."""
    failure = record["payload"]
    cell = failure.get("cell")
    place = markdown.join([*where, f"phase {failure['phase']}", cell_words(cell) if cell else "the whole host"])
    cause, advice = (markdown.text(failure[name], markdown.LONG) for name in ("cause", "advice"))
    return Markdown(f"{place}: {cause}<br>**To do:** {advice}")
