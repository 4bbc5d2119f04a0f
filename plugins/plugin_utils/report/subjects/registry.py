# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of this room: all subjects, in the order in which pages have them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import (
    agreement,
    build,
    ceilings,
    cluster,
    cost,
    cpu,
    duets,
    greedy,
    history,
    imported,
    kernel_path,
    latency,
    launches,
    load,
    machine,
    memory,
    method,
    model,
    noise,
    omitted,
    over_time,
    published,
    quality,
    speed,
    threads,
    uncertainty,
    versions,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import SideBySide, View

SUBJECTS: tuple[Subject, ...] = (
    speed.SUBJECT,
    quality.SUBJECT,
    agreement.SUBJECT,
    launches.SUBJECT,
    duets.SUBJECT,
    cluster.SUBJECT,
    versions.SUBJECT,
    latency.SUBJECT,
    load.SUBJECT,
    greedy.SUBJECT,
    threads.SUBJECT,
    ceilings.SUBJECT,
    uncertainty.SUBJECT,
    noise.SUBJECT,
    cost.SUBJECT,
    published.SUBJECT,
    published.QUALITY,
    imported.SUBJECT,
    omitted.SUBJECT,
    memory.SUBJECT,
    cpu.SUBJECT,
    over_time.SUBJECT,
    kernel_path.SUBJECT,
    build.SUBJECT,
    model.SUBJECT,
    machine.SUBJECT,
    method.SUBJECT,
    method.REPRODUCE,
    history.SUBJECT,
)

# Metrics that no subject shows, each with the reason.
NOT_SHOWN: dict[str, str] = {}

# Sentences on what has become slower, which cost a look at all runs of a page.
slower = history.slower


def alerts(view: View | SideBySide) -> list[Markdown]:
    """Return what stands loudly at the head of a page, the loudest first."""
    since = history.alert(view) if isinstance(view, View) else None
    newer = parts.attempts_alert(view.attempts, posixpath.dirname(view.path), view.path)
    nothing = parts.nothing_alert(view.run, view.path)
    wrong = (*agreement.alerts(view.run, view.path), *model.alerts(view))
    every = (newer, nothing, *wrong, parts.session_alert(view.run), since, *kernel_path.alerts(view))
    return [alert for alert in every if alert]


def remarks(view: View | SideBySide) -> Markdown | None:
    """Return what is said quietly there."""
    notes = [*model.remarks(view), *kernel_path.remarks(view)]
    return markdown.bullets(notes) if notes else None


def shown() -> set[str]:
    """Return the names of all metrics that some subject shows."""
    return {name for subject in SUBJECTS for name in subject.metrics}


def kept() -> Sequence[str]:
    """Return the metrics of a launch that pages of several machines are made from."""
    return list(dict.fromkeys(name for subject in SUBJECTS for name in subject.kept))


def largest() -> Sequence[str]:
    """Return the metrics of which those pages show the largest of a page's launches."""
    return list(dict.fromkeys(name for subject in SUBJECTS for name in subject.largest))
