# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advice on what to rent as a person reads it: for a terminal, and as a page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, offers
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.advice import (
    MET,
    Advice,
    AdviceError,
    Asked,
    Candidate,
    Estimate,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import files
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import LEFT, RIGHT, table

_WIDTH = 120
# Not the line that pages of records begin with: those are removed when no record supports them.
MARKER = "<!-- Advice of cloudbench.llama on what to rent: `make advise` writes it anew. -->"
_TITLES = (
    "type", "vCPUs", "GiB", "USD/h", "USD/mo", "token/s", "ms a token", "first s", "USD/1M", "from",
    "meets",
)  # fmt: skip


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _titles(advice: Advice) -> tuple[str, ...]:
    return _TITLES if advice.asked.has_targets else _TITLES[:-1]


def _order(advice: Advice) -> str:
    return ", those that meet the targets first" if advice.asked.has_targets else ""


def _cell(estimate: Estimate) -> str:
    return f"{_short(estimate.middle)} ({_short(estimate.low)}-{_short(estimate.high)})"


def _rows(advice: Advice) -> list[list[str]]:
    return [
        [
            candidate.kind.name,
            str(candidate.kind.vcpus),
            f"{candidate.kind.memory_gib:g}",
            f"{candidate.price.usd:.3f}",
            f"{candidate.usd_month:.0f}",
            _cell(candidate.generation),
            _cell(candidate.token_ms),
            _cell(candidate.first_s),
            _cell(candidate.usd_million),
            candidate.origin,
            *([candidate.meets] if advice.asked.has_targets else []),
        ]
        for candidate in advice.candidates[: advice.asked.rows]
    ]


def title(asked: Asked) -> str:
    """Return what is asked for, in a line."""
    users = f"{asked.users} users at once" if asked.users > 1 else "one user"
    targets = [
        *([f"at most {asked.token_ms:g} ms a token"] if asked.token_ms else []),
        *([f"first token of {asked.prompt} within {asked.first_s:g} s"] if asked.first_s else []),
        *([f"at most {asked.budget:g} USD a month"] if asked.budget else []),
        *([f"at least {asked.memory_gib:g} GiB"] if asked.memory_gib else []),
    ]
    what = f"{asked.model} {asked.quantization}, {asked.context} tokens of context, {users}, {asked.region}"
    return f"{what}: {', '.join(targets)}" if targets else what


def _some(names: Sequence[str], most: int = 4) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _hows(advice: Advice) -> list[str]:
    """Return where the figures of the shown types come from: a line each lot of types with one origin."""
    lots: dict[str, list[str]] = {}
    for candidate in advice.candidates[: advice.asked.rows]:
        lots.setdefault(f"{candidate.origin} {candidate.how}", []).append(candidate.kind.name)
    dearer = [
        f"{candidate.kind.name}: as many of the same cores for no less money have {_some(candidate.dearer)}"
        for candidate in advice.candidates[: min(3, advice.asked.rows)]
        if candidate.dearer
    ]
    return [*(f"{', '.join(names)}: {how}" for how, names in lots.items()), *dearer]


def _cheapest(advice: Advice) -> str | None:
    """Return the sentence on the type that costs least a month among those that meet the targets."""
    able = [candidate for candidate in advice.candidates if candidate.meets in MET]
    if not able:
        return None
    best = min(able, key=lambda candidate: (candidate.usd_month, candidate.kind.name))
    return (
        f"cheapest by the month of those that {'meet the targets' if advice.asked.has_targets else 'it fits into'}: "
        f"{best.kind.name}, {best.usd_month:.0f} USD, {_cell(best.token_ms)} ms a token, first token after "
        f"{_cell(best.first_s)} s"
    )


def _listed(heading: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    wrapped = [
        textwrap.wrap(each, _WIDTH - 2, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        for each in sentences
    ]
    return ["", heading, *(line for lines in wrapped for line in lines)]


def render(advice: Advice) -> list[str]:
    """Return the advice for a terminal, a line each; the command is one line, however long."""
    cheapest = _cheapest(advice)
    lines = [*textwrap.wrap(title(advice.asked), _WIDTH, break_on_hyphens=False), ""]
    titles = _titles(advice)
    lines += table([LEFT, *[RIGHT] * 8, *[LEFT] * (len(titles) - 9)], _rows(advice), titles)
    more = len(advice.candidates) - advice.asked.rows
    if more > 0:
        lines.append(f"... and {more} more, by USD for a million generated tokens{_order(advice)}")
    lines += _listed("Answer:", [*advice.near, *([cheapest] if cheapest else [])])
    lines += _listed("Take note:", advice.warnings)
    lines += _listed("Where the figures come from (middle and 90 % interval):", [*_hows(advice), *advice.notes])
    lines += _listed("Not among them:", advice.left_out)
    return [*lines, "", "To measure the first three:", f"  {advice.command}"]


def _offer(candidate: Candidate) -> offers.Offer:
    """Return a type as a line of the buyer's table."""
    kind = candidate.kind
    origin = markdown.state(candidate.origin, candidate.origin)
    generation, prompt = (
        offers.Figure(offers.Span(*estimate), "", origin, holds=candidate.meets in MET)
        for estimate in (candidate.generation, candidate.prompt)
    )
    return offers.Offer(
        name=markdown.text(kind.name),
        order=kind.name,
        processor=offers.processor_words({"instance": {"type": kind.name}}),
        configuration=None,
        vcpus=kind.vcpus,
        memory_gib=kind.memory_gib,
        usd_hour=float(candidate.price.usd or 0),
        generation=generation,
        prompt=prompt,
        token_ms=offers.Span(*candidate.token_ms),
        usd_million=offers.Span(*candidate.usd_million),
        meets=candidate.meets in MET,
    )


def page(advice: Advice) -> Markdown:
    """Return the advice as a page."""
    shown = advice.candidates[: advice.asked.rows]
    more = [
        ("USD a month", markdown.RIGHT, [f"{candidate.usd_month:.0f}" for candidate in shown]),
        (f"First of {advice.asked.prompt} tokens, s", markdown.RIGHT, [_cell(each.first_s) for each in shown]),
        *([("Meets", markdown.LEFT, [each.meets for each in shown])] if advice.asked.has_targets else []),
    ]
    table = offers.table([_offer(candidate) for candidate in shown], more)
    cheapest = _cheapest(advice)
    sections = [
        ("Answer", [*advice.near, *([cheapest] if cheapest else [])]),
        ("Take note", advice.warnings),
        ("Where the figures come from", [*_hows(advice), *advice.notes]),
        ("Not among them", advice.left_out),
    ]
    parts = [Markdown(MARKER), markdown.heading(1, "What to rent"), markdown.text(title(advice.asked), None)]
    parts.append(table)
    for heading, sentences in sections:
        if sentences:
            parts += [
                markdown.heading(2, heading),
                markdown.bullets([markdown.text(each, None) for each in sentences]),
            ]
    parts += [markdown.heading(2, "To measure the first three"), markdown.fenced(advice.command, "sh")]
    return Markdown("\n\n".join(parts) + "\n")


def write(path: Path, advice: Advice) -> bool:
    """Write the page and say whether it changed. Raises AdviceError for a file that is no page of advice, OSError."""
    content = page(advice).encode("utf-8")
    before = path.read_bytes() if path.exists() else b""
    if before == content:
        return False
    if before and not before.startswith(MARKER.encode("ascii")):
        raise AdviceError(f"{path} is no page of advice and is left alone: name another file, or move it away")
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, content, sync=False)
    return True
