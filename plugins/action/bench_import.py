# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/imports/many.py: make records of what other programs have printed, and the pages of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.prices import PriceError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import many
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import plain


class ActionModule(CoreAction):
    """Works from the files and the store alone."""

    ARGUMENTS = spec(
        results_dir=dict(type="path", required=True),
        files=dict(type="list", elements="path", required=True),
        machine=dict(type="str", default=""),
        machine_from=dict(type="str", default=""),
        model=dict(type="str", default=""),
        threads=dict(type="int", default=0),
        region=dict(type="str", default="us-east-1"),
    )
    ERRORS = (ImportFailed, PriceError, records.RecordError, report.ReportError, OSError)
    FAILURE = "the files could not be imported: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        results_dir = os.path.abspath(args["results_dir"])
        outcome = many.collect(
            many.Asked(
                args["files"], args["machine"], args["machine_from"], args["model"], args["threads"], args["region"]
            ),
            results_dir,
            self._display.display,
        )
        new = bool(outcome.fresh)
        if new and not self.check_mode:
            outcome.problems.extend(map(str, records.append(results_dir, outcome.fresh).problems))
            pages, _problems = report.render_store(results_dir, self._display.display)
            report.write(results_dir, pages, pages.figures, self._display.display)
        return {
            "changed": new,
            "machine": outcome.machines[0],
            "machines": outcome.machines,
            "run": outcome.runs[0],
            "runs": outcome.runs,
            "pages": [os.path.join(results_dir, path) for path in outcome.pages],
            "imported": outcome.imported,
            "present": outcome.present,
            "skipped": [skipped._asdict() for skipped in outcome.skipped],
            "problems": outcome.problems,
            # Ansible prints it.
            "summary": list(map(plain, many.said(outcome, results_dir))),
        }
