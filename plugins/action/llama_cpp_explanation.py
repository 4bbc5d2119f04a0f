# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/catalog/explanation.py: which CMake line an instance type gets, and why."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds, explanation, processors


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                instance_type=dict(type="str", required=True),
                gcc=dict(type="int", default=0),
                builds=dict(type="list", elements="raw", default=["default"]),
                defaults=dict(type="dict", required=True),
                cmake_options=dict(type="dict", default={}),
                targets=dict(type="list", elements="str", required=True),
            )
        )
        try:
            lines = explanation.explanation(
                args["instance_type"],
                args["gcc"] or None,
                args["builds"],
                args["defaults"],
                args["cmake_options"],
                args["targets"],
            )
        except (builds.BuildError, processors.CatalogError) as error:
            raise AnsibleActionFail(str(error)) from error
        # Not by a task of its own: the callbacks that show results break long lines, and a command must stay whole.
        for line in lines:
            self._display.display(line)
        return dict(result, changed=False, lines=lines)
