# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/export/forms.py: write the figures on record in a form that another program reads."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import forms as export
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


class ActionModule(ActionBase):
    """Runs on the controller alone, from the store alone."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                results_dir=dict(type="path", required=True),
                format=dict(type="str", default="csv", choices=list(export.FORMATS)),
                path=dict(type="path", required=True),
            )
        )
        path = os.path.abspath(args["path"])
        try:
            read = records.read(os.path.abspath(args["results_dir"]))
            content = export.export(summary.runs(read.records), args["format"])
            changed = not self._same(path, content)
            if changed and not self._task.check_mode:
                with open(path, "wb") as file:
                    file.write(content)
        except (records.RecordError, export.ExportError, OSError) as error:
            raise AnsibleActionFail("the figures could not be written: %s" % error) from error
        return dict(result, changed=changed, path=path, problems=[str(problem) for problem in read.problems])

    @staticmethod
    def _same(path, content):
        try:
            with open(path, "rb") as file:
                return file.read() == content
        except FileNotFoundError:
            return False
