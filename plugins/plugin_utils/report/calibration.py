# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that holds predictions to account: what was predicted of a type of EC2, and what was measured on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import predict, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics, processors, speeds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import InstanceType
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, offers, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Entry

PAGE = "calibration.md"


class Check(NamedTuple):
    """A figure that was measured on a type of EC2, and what was predicted of it (token/s, 90 % interval)."""

    item: Entry
    kind: InstanceType
    row: Row
    predicted: float
    low: float
    high: float
    words: str

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return (self.row.interval.mean if self.row.interval else math.nan) / self.predicted

    @property
    def inside(self) -> bool:
        """Whether what was measured is inside the interval of the prediction."""
        return self.low <= self.ratio * self.predicted <= self.high


def checks(entries: Sequence[Entry]) -> list[Check]:
    """Return the figures of the usual tests on instances of EC2 of which the shipped parameters predict something.

    No measurement pulls the prediction here: it is what somebody was told who had none.
    """
    table = speeds.table()
    made = []
    for item in entries:
        kind = None if item.emulated else processors.type_of(summary.machine(item.run))
        if kind is None:
            continue
        for speed, metric in predict.METRICS.items():
            row = item.of(speed)
            if row is None or row.interval is None or not _usual(row):
                continue
            said = predict.by_name(kind, metric, item.model.removesuffix("-synthetic"), item.quantization, table)
            if said is None:
                continue
            half = predict.quantile(table.degrees) * math.sqrt(said.variance)
            low, high = math.exp(said.log - half), math.exp(said.log + half)
            made.append(Check(item, kind, row, math.exp(said.log), low, high, said.words))
    return made


def _usual(row: Row) -> bool:
    return row.cell["test"] in summary.USUAL_TESTS and row.state != summary.INVALID


def words(made: Sequence[Check]) -> str:
    """Return how well predictions did, in a sentence."""
    inside = sum(check.inside for check in made)
    off = median(abs(math.log(check.ratio)) for check in made)
    return (
        f"{inside} of {metrics.plural(len(made), 'measured figure')} {'is' if inside == 1 else 'are'} inside the "
        f"{round(100 * predict.CONFIDENCE)} % interval of what `make advise` predicts without them; half of them are "
        f"within {100 * math.expm1(off):.1f} % of its middle."
    )


def context(made: Sequence[Check]) -> dict[str, Any]:
    """Return the variables of templates/calibration.md.j2."""
    columns = [
        ("Machine", LEFT), ("Type", LEFT), ("Model", LEFT), ("Test", LEFT), ("Predicted token/s", RIGHT),
        ("Measured token/s", RIGHT), ("Measured / predicted", RIGHT), ("Inside", LEFT), ("Predicted", LEFT),
    ]  # fmt: skip
    lines = [
        [
            markdown.link(check.item.run.machine, summary.machine_path(check.item.run.machine)),
            check.kind.name,
            markdown.link(f"{check.item.model} {check.item.quantization}", check.item.path),
            parts.test_words(check.row.cell),
            markdown.lines(
                metrics.number(check.predicted),
                markdown.small(metrics.span(check.low, check.high, metrics.decimals(check.predicted))),
            ),
            _measured(check),
            metrics.number(check.ratio, 2),
            "yes" if check.inside else markdown.bold("no"),
            check.words,
        ]
        for check in sorted(made, key=lambda check: (check.kind.name, check.item.path, check.row.speed))
    ]
    return {
        "index": markdown.link("All results", summary.INDEX),
        "words": parts.prose(words(made), None),
        "table": markdown.table(columns, lines),
    }


def _measured(check: Check) -> Markdown:
    spread = parts.interval(check.row)
    bounds = markdown.small(spread) if spread != metrics.NOT_AVAILABLE else None
    return markdown.lines(parts.mean(check.row), bounds, offers.badge(check.row, summary.imported(check.item.run)))
