# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run left out for want of time, and what to do for it."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View


def _section(view: View) -> Section | None:
    payloads = [record["payload"] for record in view.run.others.get("omitted", [])]
    here = [left for left in payloads if summary.page_path(view.run.machine, left["cell"]) == view.path]
    if not here:
        return None
    here.sort(key=lambda left: summary.cell_order(left["cell"]))
    items = [Markdown(f"{markdown.text(left['cell']['test'])}: {parts.sentence(left['cause'])}") for left in here]
    advice = dict.fromkeys(left["advice"] for left in here)
    return Section("Not measured", [markdown.bullets(items), *map(parts.sentence, advice)])


SUBJECT = Subject(name="omitted", section=_section)
