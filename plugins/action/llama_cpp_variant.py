# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/catalog/builds.py: one build of llama.cpp that is asked for, in full."""

from __future__ import annotations

import platform

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                build=dict(type="raw", required=True),
                defaults=dict(type="dict", required=True),
                machine=dict(type="dict", required=True),
                prefix=dict(type="str", default=""),
            )
        )
        target = args["machine"].get("architecture")
        try:
            variant = builds.resolve(args["build"], args["defaults"], target)
        except builds.BuildError as error:
            raise AnsibleActionFail(str(error)) from error
        prefix = args["prefix"] or builds.compiler_prefix(variant, platform.machine(), target)
        return dict(result, changed=False, variant=dict(variant, prefix=prefix))
