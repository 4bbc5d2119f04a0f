# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of several quantizations or builds answers: the predecessor's question, builds, and quantizations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.kernel_path import AS_EXPECTED
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import (
    REFERENCE_BUILD,
    REFERENCE_QUANTIZATION,
    Row,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import ratios
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import SideBySide, is_legacy

PREDECESSOR = Markdown(
    "**Today's Q4_0 against the file types that it replaced**, the comparison of this project's predecessor "
    "(llama3-on-graviton: `q4.md` against `q4-088.md`):"
)
INFORMATIONAL_RULE = Markdown(
    f"**{verdict.INFORMATIONAL}**: in fewer than {verdict.ENOUGH_PAIRS} blocks both launches were undisturbed, so the "
    "ratio is shown and establishes nothing."
)


def _same_cell(rows: Iterable[Row], wanted: Row) -> Row | None:
    """Return the row that differs from `wanted` in quantization or build only."""
    fields = ("test", "threads", "n_prompt", "n_gen", "n_depth")
    settings = summary.launch_settings(wanted.cell)
    alike = (row for row in rows if summary.launch_settings(row.cell) == settings)
    return next((row for row in alike if all(row.cell[name] == wanted.cell[name] for name in fields)), None)


def words(view: SideBySide) -> list[Markdown]:
    """Return the page's answers: a paragraph and its list for each question that this run can answer."""
    if view.emulated:
        measured = [row for row in view.rows if row.launches]
        good = sum(summary.kernel_state(row) == AS_EXPECTED for row in measured)
        return [
            markdown.text(
                "No verdict on speed: these figures are an emulator's. What they prove is the choice of kernels: as "
                f"expected in {good} of {metrics.plural(len(measured), 'cell')}."
            )
        ]
    if view.imported:
        return [markdown.text(f"{parts.IMPORTED_RULE} Nothing pairs them, so that no ratio is given.", None)]
    said = [answer for answer in (_against_legacy(view), _against_default(view), _against_reference(view)) if answer]
    if not said:
        return [markdown.text("Nothing to compare: no two combinations were measured with the same test and threads.")]
    open_ones = any(f"**{verdict.INFORMATIONAL}**" in answer for answer in said)
    return [*said, INFORMATIONAL_RULE] if open_ones else said


def _clause(view: SideBySide, rows: Sequence[Row], base: Sequence[Row]) -> list[Markdown]:
    """Return a clause for generation and for prompts: how `rows`, of one combination, compare with those of `base`."""
    said = []
    for speed, word in parts.SPEEDS.items():
        against = summary.headline(base, speed)
        row = _same_cell(rows, against) if against else None
        if row and against:
            where = markdown.text(f"{parts.test_words(row.cell)}, {metrics.plural(row.cell['threads'], 'thread')}")
            said.append(Markdown(f"{word.lower()} ({where}) {_times(view, row, against)}"))
    return said


def _times(view: SideBySide, row: Row, against: Row) -> Markdown:
    """Return how a row compares with another, or that one of both is of a build that is wrong."""
    if row.stamp or against.stamp:
        return Markdown("**wrong**, so not compared")
    return ratios.times(*view.verdict(row, against))


def _path_words(row: Row) -> Markdown:
    """Return the kernel path of `row` for a sentence, loud when it fell back."""
    names = dict.fromkeys(layout.name for layout in summary.layouts(row))
    if len(names) > 1:
        names.pop(summary.NOT_REPACKED, None)
    return markdown.join([*names, *filter(None, [parts.kernel_state(row)])])


def _figure_words(view: SideBySide, row: Row) -> Markdown:
    """Return the figure of `row` for a sentence, with its combination and kernel path."""
    path = _path_words(row)
    return Markdown(
        f"{markdown.text(view.name_among(row.cell))} {parts.mean(row)} token/s{f' ({path})' if path else ''}"
    )


def _against_legacy(view: SideBySide) -> Markdown | None:
    """Answer the predecessor's question: what the removed file types gave, and what Q4_0 gives today."""
    today = view.of(REFERENCE_QUANTIZATION, REFERENCE_BUILD)
    legacy = [key for key in _measured(view) if is_legacy(key[0])]
    if not legacy:
        return None
    if not today:
        words = (
            f"{REFERENCE_QUANTIZATION} was not measured in the build {REFERENCE_BUILD}, so there is no today's figure."
        )
        return Markdown(f"{PREDECESSOR}\n\n{markdown.bullets([words])}")
    items = []
    for speed, word in parts.SPEEDS.items():
        now = summary.headline(today, speed)
        for quantization, build in legacy:
            then = _same_cell(view.of(quantization, build), now) if now else None
            if not now or not then:
                continue
            where = markdown.text(f"{parts.test_words(now.cell)}, {metrics.plural(now.cell['threads'], 'thread')}")
            figures = f"{_figure_words(view, now)}, {_figure_words(view, then)}"
            items.append(
                Markdown(f"{word} ({where}): {figures}. Today's Q4_0: {ratios.times(*view.verdict(now, then))}.")
            )
    return Markdown(f"{PREDECESSOR}\n\n{markdown.bullets(items)}") if items else None


def _measured(view: SideBySide, build: str | None = None, quantization: str | None = None) -> list[tuple[str, str]]:
    """Return the measured combinations of a build or a quantization, in the order of the tables."""
    measured = dict.fromkeys(summary.combination(row.cell) for row in view.rows if row.launches)
    return [key for key in measured if build in (None, key[1]) and quantization in (None, key[0])]


def _preferred(values: Iterable[str], wanted: str) -> str | None:
    """Return `wanted` where it is among the `values`, else the first of them."""
    known = list(values)
    return wanted if wanted in known else next(iter(known), None)


def _against_default(view: SideBySide) -> Markdown | None:
    """Compare the builds of each quantization with `default`, or with the first where it was not measured."""
    items = []
    for quantization in dict.fromkeys(key[0] for key in _measured(view)):
        builds = [key[1] for key in _measured(view, quantization=quantization)]
        base = _preferred(builds, REFERENCE_BUILD)
        for build in builds:
            said = (
                _clause(view, view.of(quantization, build), view.of(quantization, base))
                if base and build != base
                else []
            )
            if said:
                name = f"{markdown.bold(f'{quantization} in build {build}')} against {markdown.text(base)}"
                items.append(Markdown(f"{name}: {'; '.join(said)}."))
    return Markdown(f"**Builds**, of the same quantization:\n\n{markdown.bullets(items)}") if items else None


def _against_reference(view: SideBySide) -> Markdown | None:
    """Compare the quantizations of `default` with Q4_0, or the first where these were not measured."""
    build = _preferred((key[1] for key in _measured(view)), REFERENCE_BUILD)
    today = [key[0] for key in _measured(view, build=build) if not is_legacy(key[0])]
    base = _preferred(today, REFERENCE_QUANTIZATION)
    items = []
    for quantization in today:
        said = (
            _clause(view, view.of(quantization, build), view.of(base, build))
            if base and build and quantization != base
            else []
        )
        if said:
            name = f"{markdown.bold(quantization)} against {markdown.text(base)}"
            items.append(Markdown(f"{name}: {'; '.join(said)}."))
    if not items:
        return None
    heading = f"**Quantizations**, by speed alone, in the build {markdown.text(build)}:"
    return Markdown(f"{heading}\n\n{markdown.bullets(items)}")
