# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The method of a run, and the commands to repeat it."""

from __future__ import annotations

import shlex

from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import assignments
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View


def _method(view: View) -> Section | None:
    if view.imported:
        # The files do not say in which order they were measured, or what else ran.
        return None
    plan = view.run.plan
    modes = sorted({mode for row in view.measured for mode in summary.load_modes(row)})
    order = (
        f"{metrics.plural(plan['launches'], 'launch')} of each cell, a fresh process each, with "
        f"{metrics.plural(plan['repetitions'], 'repetition')} inside; the order is randomised in complete blocks, seed "
        f"{plan['seed']}."
        if plan
        else parts.NO_PLAN
    )
    loaded = f" Weights are loaded in load mode {', '.join(modes)}." if modes else ""
    items = [
        order,
        parts.RECORDS_RULE,
        f"Memory and CPU use are of the whole process: load, warm-up and test.{loaded}",
    ]
    variables = summary.environment(view.run)
    if variables:
        named = markdown.join(map(markdown.code, assignments(variables)))
        items.append(Markdown(f"Set on purpose in the environment of the programs: {named}."))
    fleet = (plan or {}).get("fleet")
    if fleet:
        items.append(
            f"It is one of {fleet['there']} instances where {fleet['asked']} were asked for; {fleet['enough']} were "
            "said to be enough."
        )
    return Section("Method", [markdown.bullets(items)])


def _reproduce(view: View) -> Section | None:
    blocks = []
    plan = view.run.plan
    if view.imported:
        return None
    if plan:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(plan["versions"].items()) if version)
        blocks.append(markdown.fenced(plan["command"], "sh"))
        blocks.append(markdown.text(f"Versions: {versions}."))
    commands = []
    for row in view.measured:
        argv = row.launches[0]["payload"].get("argv")
        if argv:
            # A line break in a host's word would end the comment and begin a command.
            variables = assignments(row.launches[0]["payload"].get("environment") or {})
            command = shlex.join(["env", *variables, *argv] if variables else argv)
            commands.append(f"# {markdown.visible(view.words(row))}\n{command}")
    if commands:
        blocks.append(Markdown("One launch of each cell, as it was run, from the home directory of the host:"))
        blocks.append(markdown.fenced("\n".join(commands), "sh"))
    return Section("Reproduce", blocks or [Markdown("")])


SUBJECT = Subject(name="method", section=_method)
REPRODUCE = Subject(name="reproduce", section=_reproduce)
