# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: the files that were measured, and whether their weights are real."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import facts, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View


def _section(view: View) -> Section:
    models = parts.models(view.run, view.cells, view.launches)
    return Section("Model", [*map(_facts, models)] or [markdown.text("No model file is on record for this page.")])


def _facts(model: Payload) -> Markdown:
    return facts.table(
        "Model",
        f"{model['name']} {model['quantization']}",
        (
            ("File", model.get("file")),
            ("Size", metrics.binary(model["bytes"]) if model.get("bytes") else None),
            ("Parameters", model.get("parameters")),
            ("Architecture", model.get("architecture")),
            ("Weights", _weights(model)),
            ("Source", model.get("source")),
            ("SHA-256", markdown.code(model["sha256"]) if model.get("sha256") else None),
        ),
    )


def _weights(model: Payload) -> str | None:
    return None if model["synthetic"] is None else "synthetic (random values)" if model["synthetic"] else "real"


SUBJECT = Subject(name="model", section=_section)
