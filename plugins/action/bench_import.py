# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/imports/files.py: make records of what other programs have printed, and the pages of them."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                results_dir=dict(type="path", required=True),
                files=dict(type="list", elements="path", required=True),
                machine=dict(type="str", default=""),
                model=dict(type="str", default=""),
                threads=dict(type="int", default=0),
            )
        )
        results_dir = os.path.abspath(args["results_dir"])
        files = [os.path.abspath(path) for path in args["files"]]
        try:
            found = imports.records(files, args["machine"], args["model"], args["threads"])
            known = records.read(results_dir, found.run).records
            new = not any(one["machine"] == found.machine for one in known)
            problems = list(found.problems)
            if new and not self._task.check_mode:
                appended = records.append(results_dir, found.records)
                problems += map(str, appended.problems)
                pages, _problems = report.render_store(results_dir)
                report.write(results_dir, pages, pages.figures)
        except (imports.ImportFailed, records.RecordError, report.ReportError, OSError) as error:
            raise AnsibleActionFail("the files could not be imported: %s" % error) from error
        pages_of = [one["payload"]["cell"] for one in found.records if one["kind"] == "launch"]
        return dict(
            result,
            changed=new,
            machine=found.machine,
            run=found.run,
            pages=sorted({os.path.join(results_dir, summary.page_path(found.machine, cell)) for cell in pages_of}),
            problems=problems,
        )
