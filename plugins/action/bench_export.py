# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/export/forms.py: write the figures on record in a form that another program reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import forms as export
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export.parquet import ExportError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


class ActionModule(CoreAction):
    """Works from the store alone."""

    ARGUMENTS = spec(
        results_dir=dict(type="path", required=True),
        format=dict(type="str", default="csv", choices=list(export.FORMATS)),
        path=dict(type="path", required=True),
    )
    ERRORS = (records.RecordError, ExportError, OSError)
    FAILURE = "the figures could not be written: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        suffix = export.FORMATS[args["format"]].suffix
        example = f"make export FORMAT={args['format']} OUT=figures.{suffix}, or bench_report_export=figures.{suffix}"
        if not args["path"].strip():
            raise ExportError(f"no file is named to write them to: {example}")
        path = os.path.abspath(args["path"])
        if os.path.isdir(path):
            raise ExportError(f"{path} is a directory; name a file: {example}")
        read = records.read(os.path.abspath(args["results_dir"]))
        content = export.export(summary.runs(read.records), args["format"])
        changed = not _holds(path, content)
        if changed and not self.check_mode:
            with open(path, "wb") as file:
                file.write(content)
        return {"changed": changed, "path": path, "problems": [str(problem) for problem in read.problems]}


def _holds(path: str, content: bytes) -> bool:
    """Say whether this is what a file holds already."""
    try:
        with open(path, "rb") as file:
            return file.read() == content
    except FileNotFoundError:
        return False
