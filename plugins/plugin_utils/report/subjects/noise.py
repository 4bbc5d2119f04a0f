# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The noise floor: how far two copies of one cell differ that were measured in the same blocks."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

# A difference of the second copy is one of some hundredths of a per cent.
_PLACES = 4


def _section(view: View) -> Section | None:
    pair = summary.twin(view.run)
    if pair is None:
        return None
    first, second = pair
    interval = compare.within_blocks(first, second, p_value=False).ratio
    if interval is None:
        return None
    bounds = metrics.span(interval.low, interval.high, _PLACES)
    words = (
        f"{parts.cell_words(first.cell, True)} of {first.cell['quantization']} was measured twice in the same blocks. "
        f"The second copy was {metrics.number(interval.mean, _PLACES)} times as fast as the first (95 % interval "
        f"{bounds}, {metrics.plural(interval.n, 'block')}). Whatever differs less than that says nothing."
    )
    return Section("Noise floor", [markdown.text(words, None)])


SUBJECT = Subject(name="noise", section=_section)
