# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agreement: whether builds predict what the first one does with the same file, loud where one does not."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.agreement import AGREE_BOUND, KIND
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

# With the titles of their columns.
_IN_TABLE = (
    ("agree_ppl", "Perplexity"),
    ("agree_ppl_base", "of the first build"),
    ("agree_ppl_ratio", "Ratio"),
    ("agree_kld_mean", "KL divergence, mean"),
    ("agree_kld_median", "median"),
    ("agree_kld_p99", f"99{metrics.NO_BREAK}%"),
    ("agree_top1_percent", f"Same token{metrics.NO_BREAK}%"),
    ("agree_p_change_rms_percent", f"Change of p, RMS{metrics.NO_BREAK}%"),
)
_WORDS = (
    "What a build predicts with a file beside what the first build of the run predicts with it, weights not repacked. "
    "Right kernels differ by rounding alone. Of a mean divergence over "
    f"{AGREE_BOUND:g} nat a build is wrong, and none of its speeds is ranked; what a quantized KV cache costs is not "
    "counted. Means of the launches, each of another part of a text."
)


def alerts(run: Run, path: str) -> list[Markdown]:
    """Return a loud line for each build, with its settings, that is wrong, of the cells of a page of the run's.

    `path`: that of a quantization, or of a page of its model.
    """
    # A page of its model is where its combinations stand side by side.
    here = summary.comparison_path(path) if path == summary.quality_path(path) else path
    return [
        markdown.alert(
            "CAUTION",
            markdown.text(
                f"{each.cell['quantization']} in build {summary.way(each.cell)} is wrong: {each.words}. Its speeds are "
                "INVALID and not ranked.",
                None,
            ),
        )
        for each in run.disagreements
        if summary.shown_on(run, each.cell, here)
    ]


def _section(view: View) -> Section | None:
    rows = [row for row in view.of_kind(KIND) if row.launches]
    if not rows:
        return None
    wrong = {summary.cell_key(each.cell) for each in view.run.disagreements}
    columns = [
        ("Test", LEFT),
        (parts.build_title(rows), LEFT),
        *((title, RIGHT) for _name, title in _IN_TABLE),
        ("Agrees", LEFT),
    ]

    def line(row: Row) -> list[Cell]:
        agrees = markdown.bold("WRONG") if summary.cell_key(row.cell) in wrong else "yes"
        return [
            parts.test_words(row.cell),
            summary.way(row.cell),
            *(_mean(row, name) for name, _title in _IN_TABLE),
            agrees,
        ]

    return Section("Agreement", [markdown.text(_WORDS, None), markdown.table(columns, map(line, rows))])


def _mean(row: Row, name: str) -> str:
    interval = summary.mean_of(row, name)
    return metrics.metric(name).formatter(interval.mean if interval else None)


SUBJECT = Subject(
    name="agreement",
    metrics=tuple(name for name, _title in _IN_TABLE),
    kinds=(KIND,),
    section=_section,
)
