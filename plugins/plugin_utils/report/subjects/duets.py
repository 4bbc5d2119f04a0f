# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duets, side by side: cells that were measured at the same moment, each on half of the cores, and their ratio."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import duets, summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.duets import Duet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import ratios
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, SideBySide

_PLACES = 4
_WORDS = (
    "In a duet both cells run at the same moment, each on half of the cores, and change places in the second round of "
    "a pair: what else the machine does meets both alike. B/A is the geometric mean over pairs of how many times as "
    "fast B was, with its 95 % interval. Two that share a memory are each slower than alone, so the figures above are "
    "none of these; where memory is the bound, the ratio in a duet may differ from that of cells alone. `make compare` "
    "judges these cells by their duets."
)


def _section(view: SideBySide) -> Section | None:
    here = [duet for duet in _judged(view) if _shown(view, duet)]
    if not here:
        return None
    settings = summary.differing_settings(cell for duet, _said, _q in here for cell in (duet.a, duet.b))
    lines = [_line(view, duet, said, q, settings) for duet, said, q in here]
    columns = [
        ("Test", LEFT), ("Threads each", RIGHT), ("A", LEFT), ("B", LEFT), (view.unit("B/A"), RIGHT),
        ("Pairs", RIGHT), ("Verdict", LEFT),
    ]  # fmt: skip
    return Section("Duets", [parts.prose(_WORDS, None), markdown.table(columns, lines)])


def _judged(view: SideBySide) -> list[tuple[Duet, Verdict, float | None]]:
    try:
        every = duets.of_run(view.run)
        judged = verdict.judged([duet.verdict for duet in every])
    except verdict.StatisticsMissing:
        # As elsewhere on pages: the word is that of the interval alone.
        every = duets.of_run(view.run, p_value=False)
        judged = [(duet.verdict, None) for duet in every]
    return [(duet, said, q) for duet, (said, q) in zip(every, judged, strict=True)]


def _shown(view: SideBySide, judged: tuple[Duet, Verdict, float | None]) -> bool:
    """Say whether one of both sides is of the page's model."""
    paths = (summary.page_path(view.run.machine, cell) for cell in (judged[0].a, judged[0].b))
    return view.path in map(summary.comparison_path, paths)


def _line(view: SideBySide, duet: Duet, said: Verdict, q: float | None, settings: Sequence[str]) -> list[Cell]:
    names = [
        ", ".join(filter(None, (view.name_among(cell), parts.settings_words(cell, settings))))
        for cell in (duet.a, duet.b)
    ]
    return [
        parts.test_words(duet.b),
        parts.thread_number(duet.b),
        *names,
        ratios.bare(said, _PLACES),
        _pairs(duet),
        _verdict(view, said, q),
    ]


def _pairs(duet: Duet) -> Markdown:
    spoiled = len(duet.pairs) - len(duet.counted)
    return markdown.lines(
        metrics.number(len(duet.counted)),
        markdown.small(f"and {spoiled} spoiled") if spoiled else None,
        markdown.small(f"{duet.accompanied} in company") if duet.accompanied else None,
    )


def _verdict(view: SideBySide, said: Verdict, q: float | None) -> Markdown | None:
    if view.emulated:
        return None
    mark = f"{metrics.NO_BREAK}~" if said.word in (verdict.UNDECIDED, verdict.INFORMATIONAL) else ""
    return markdown.lines(
        f"{said.word} {duets.WORDS}{mark}", markdown.small(verdict.q_words(q)) if q is not None else None
    )


SUBJECT = Subject(name="duets", compared_section=_section)
