# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of what is known about one thing: a build, a model, a machine."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, Markdown


def table(kind: str, name: str, pairs: Iterable[tuple[str, object]]) -> Markdown:
    """Return a table about one thing, without the facts that are not known."""
    return markdown.table(
        [(kind, LEFT), (name, LEFT)], [[name, _shown(value)] for name, value in pairs if value not in (None, "", [])]
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return metrics.number(value) if isinstance(value, int) else markdown.text(value)


def blocks(pairs: Iterable[tuple[str, object]]) -> Markdown:
    """Return labelled code blocks of the values that are known."""
    return Markdown(
        "\n\n".join(f"{markdown.text(name)}:\n\n{markdown.fenced(value)}" for name, value in pairs if value)
    )
