# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/warm_python.py: a Python that has loaded boto3, for the modules of one ansible-playbook."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import warm_python
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Works on the controller."""

    ARGUMENTS = spec(
        interpreter=dict(type="str", default=sys.executable),
        modules=dict(type="list", elements="str", default=[]),
    )

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        self._pack(args["modules"], task_vars)
        given = args["interpreter"]
        if given != sys.executable:
            return {"interpreter": given, "why": "it is not the Python of Ansible"}
        if not warm_python.supported():
            return {"interpreter": given, "why": "this machine cannot wait for a process as for a file"}
        try:
            # An action works in a process of its own, which ends with it; its parent is ansible-playbook.
            return {"interpreter": warm_python.begin(os.getppid()), "why": ""}
        except OSError as error:
            # It saves time and nothing else.
            return {"interpreter": given, "why": f"it could not be begun: {error}"}

    def _pack(self, modules: list[str], task_vars: Mapping[str, Any]) -> None:
        """Have Ansible pack modules into its cache of this ansible-playbook, in a process that nobody waits for.

        A task that comes before its module is packed packs it itself, or waits for the lock of Ansible.
        """
        program = os.getppid()
        if not modules or os.fork():
            return
        try:
            os.setsid()
            for name in modules:
                # The cache goes away with the program.
                os.kill(program, 0)
                self._configure_module(module_name=name, module_args={}, task_vars=dict(task_vars))
        finally:
            # Whatever went wrong is told by the task that runs the module.
            os._exit(0)
