# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/builds.py: the exact CMake arguments of a build, and the key it is known by."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils import builds, processors


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                variant=dict(type="dict", required=True),
                source=dict(type="dict", required=True),
                machine=dict(type="dict", required=True),
                toolchain=dict(type="dict", required=True),
                cmake_options=dict(type="dict", default={}),
                targets=dict(type="list", elements="str", required=True),
                programs=dict(type="path"),
            )
        )
        try:
            made = builds.configure(
                args["variant"],
                args["source"],
                args["machine"],
                args["toolchain"],
                args["cmake_options"],
                args["targets"],
                args["programs"],
            )
        except OSError as error:
            raise AnsibleActionFail("programs %s cannot be read: %s" % (args["programs"], error)) from error
        except (builds.BuildError, processors.CatalogError) as error:
            raise AnsibleActionFail("build %s: %s" % (args["variant"]["name"], error)) from error
        for warning in made.warnings:
            self._display.warning("%s: build %s: %s" % (args["machine"].get("name"), args["variant"]["name"], warning))
        return dict(result, changed=False, configuration=dict(made._asdict(), way=args["variant"]["way"]))
