# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/imports/files.py: make records of what other programs have printed, and the pages of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


class ActionModule(CoreAction):
    """Works from the files and the store alone."""

    ARGUMENTS = spec(
        results_dir=dict(type="path", required=True),
        files=dict(type="list", elements="path", required=True),
        machine=dict(type="str", default=""),
        model=dict(type="str", default=""),
        threads=dict(type="int", default=0),
    )
    ERRORS = (imports.ImportFailed, records.RecordError, report.ReportError, OSError)
    FAILURE = "the files could not be imported: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        results_dir = os.path.abspath(args["results_dir"])
        files = [os.path.abspath(path) for path in args["files"]]
        imported = imports.records(files, args["machine"], args["model"], args["threads"])
        known = [
            record for machine in imported.machines for record in records.read(results_dir, machine=machine).records
        ]
        imports.refuse_other_processor(imported, known)
        there = {record["machine"] for record in known if record["run"] == imported.run}
        fresh = [record for record in imported.records if record["machine"] not in there]
        new = bool(fresh)
        problems = list(imported.problems)
        if new and not self.check_mode:
            appended = records.append(results_dir, fresh)
            problems += map(str, appended.problems)
            pages, _problems = report.render_store(results_dir)
            report.write(results_dir, pages, pages.figures)
        paths = {
            summary.page_path(record["machine"], record["payload"]["cell"])
            for record in imported.records
            if record["kind"] == "launch"
        }
        return {
            "changed": new,
            "machine": imported.machine,
            "machines": imported.machines,
            "run": imported.run,
            "pages": sorted(os.path.join(results_dir, path) for path in paths),
            "problems": problems,
        }
