# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have published of the same instance type, model and quantization, beside what was measured here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.kernel_path import FALLBACK
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics, published
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.published import Published, Quality, Source
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, SideBySide, View


def _section(view: View) -> Section | None:
    instance = (summary.machine(view.run).get("instance") or {}).get("type")
    if not instance or not view.rows or view.emulated:
        return None
    cell = view.rows[0].cell
    figures = published.of(instance, cell["model"], cell["quantization"])
    if not figures:
        return None
    words = (
        "Measured by others, with their builds and methods; no result of this project and in no ranking. Which of the "
        "differences makes up how much of a ratio cannot be told."
    )
    titles = (
        ("Published by", LEFT), ("When, with", LEFT), ("Test", LEFT), ("Threads", RIGHT), ("token/s", RIGHT),
        ("Here", LEFT), ("Here / published", RIGHT), ("What differs", LEFT),
    )  # fmt: skip
    lines = [_line(view, figure) for figure in figures]
    return Section("Published figures", [markdown.text(words, None), markdown.table(titles, lines)])


def _when(source: Source) -> str:
    return ", ".join(filter(None, (source.date, source.version))) or metrics.NOT_AVAILABLE


def _line(view: View, theirs: Published) -> list[Cell]:
    here = _alike(view.rows, theirs)
    ratio = here.interval.mean / theirs.tps if here and here.interval else None
    return [
        theirs.source.title,
        _when(theirs.source),
        theirs.test,
        metrics.number(theirs.threads),
        metrics.number(theirs.tps),
        f"{parts.mean(here)} ({parts.cell_words(here.cell)})" if here else metrics.NOT_AVAILABLE,
        f"{metrics.number(ratio, 2)}x" if ratio else metrics.NOT_AVAILABLE,
        "; ".join(_differences(view.run, here, theirs)) if here else "no such test was measured here",
    ]


def _alike(rows: Sequence[Row], theirs: Published) -> Row | None:
    """Return the row of this run that measured most nearly what was published."""
    known = [row for row in rows if row.speed == theirs.speed and row.interval is not None and not row.cell["n_depth"]]
    if theirs.test != "tg":
        known = [row for row in known if row.cell["test"] == theirs.test]
    return summary.headline(known, theirs.speed)


def _differences(run: Run, row: Row, theirs: Published) -> list[str]:
    """Return what is on record that sets a run apart from what was published of the same machine."""
    words = []
    if theirs.threads and theirs.threads != row.cell["threads"]:
        words.append(f"{metrics.plural(row.cell['threads'], 'thread')} here, {theirs.threads} there")
    if row.cell["build"] != summary.REFERENCE_BUILD:
        words.append(f"build {row.cell['build']}")
    if row.cell.get("variant"):
        words.append(row.cell["variant"])
    commits = summary.commits(run, row.launches)
    if commits:
        words.append(f"llama.cpp {', '.join(commits)} here")
    if summary.kernel_state(row) == FALLBACK:
        words.append("the kernels fell back here")
    if row.state != summary.VALID:
        words.append(f"{row.state} here")
    catalog = (summary.machine(run).get("processor") or {}).get("bandwidth_gb_s")
    reached = max((measured["read_gb_s"]["best"] for measured in summary.bandwidths(run)), default=None)
    if catalog and reached and row.speed == "tg_tps":
        words.append(f"the memory gave {metrics.number(reached)} of {metrics.number(catalog)} GB/s in theory here")
    return words


def _of_variants(view: SideBySide) -> list[Markdown]:
    """Say what others have published of the settings that this run compares, on processors of the same family."""
    instance = (summary.machine(view.run).get("instance") or {}).get("type")
    if not instance or view.emulated:
        return []
    variants = dict.fromkeys(row.cell["variant"] for row in view.rows if row.cell.get("variant"))
    return [
        markdown.text(
            f"Published, not measured here: {theirs.variant} on {theirs.instance} gave {metrics.number(theirs.tps)} "
            f"token/s where llama.cpp's own settings gave {metrics.number(default.tps)}, "
            f"{metrics.number(theirs.tps / default.tps, 2)} times ({theirs.model} {theirs.quantization}, "
            f"{theirs.test}, {metrics.plural(theirs.threads or 0, 'thread')}; {theirs.source.title}, "
            f"{theirs.source.date}, {theirs.source.version})."
        )
        for variant in variants
        for default, theirs in published.of_variant(instance, variant)
    ]


# The kind of measurement beside whose figures those of others stand, by its name.
QUALITY_KIND = "quality"
# Stand beside a page's own quantization for scale, where the model's table has them.
_SCALE = ("F16", "Q8_0", "Q4_K_M", "Q2_K")
_QUALITY: tuple[tuple[str, Callable[[Quality], float | None], int | None], ...] = (
    ("PPL", lambda row: row.ppl, 4),
    ("PPL ratio", lambda row: row.ratio, 4),
    ("KLD, mean", lambda row: row.kld_mean, None),
    ("KLD, median", lambda row: row.kld_median, None),
    ("KLD, 99 %", lambda row: row.kld_p99, None),
    ("Same top token, %", lambda row: row.top1_percent, 2),
    ("RMS Δp, %", lambda row: row.p_change_rms_percent, 2),
)


def _quality(view: View) -> Section | None:
    """Set what others have published of the nearest model beside the figures of quality of a page."""
    if not any(row.launches for row in view.of_kind(QUALITY_KIND)):
        return None
    cell = view.cells[0]
    every = published.quality(cell["model"])
    alike = [row for row in every if row.plain == published.plain(cell["quantization"])]
    shown = alike + [row for row in every if row.plain in _SCALE and row not in alike]
    shown.sort(key=lambda row: row.ratio or 0)
    figures = [each for each in _QUALITY if any(each[1](row) is not None for row in shown)]
    titles = [
        ("Quantization", LEFT), *((title, RIGHT) for title, _value, _places in figures),
        ("Against", LEFT), ("Text", LEFT), ("Published by", LEFT), ("When, with", LEFT),
    ]  # fmt: skip
    lines = [
        [
            row.quantization,
            *(metrics.number(value(row), places) for _title, value, places in figures),
            row.reference,
            f"{row.text}, context {row.context}" if row.context else row.text,
            row.source.title,
            _when(row.source),
        ]
        for row in shown
    ]
    words = markdown.text(_quality_words(cell, every[0].model, bool(alike)), None)
    return Section("Published quality (not measured here)", [words, markdown.table(titles, lines)])


def _quality_words(cell: Mapping[str, Any], theirs: str, alike: bool) -> str:
    """Say of what model the published figures are, and what they are good for."""
    words = [f"Measured by others, of {theirs}. Another text, context or tokenizer gives other figures: they are to be"]
    words.append("compared with each other, and none of them with one of this page.")
    if theirs != cell["model"]:
        words.append(f"Of {cell['model']} itself none is known here; this is the nearest model.")
    if not alike:
        words.append(f"{cell['quantization']} is not among them: what stands here is for scale.")
    return " ".join(words)


SUBJECT = Subject(name="published", section=_section, compared_words=_of_variants)
QUALITY = Subject(name="published_quality", section=_quality)
