# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/warm_python.py: a Python that has loaded boto3, for the modules of one ansible-playbook."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from ansible import constants

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import warm_python
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Works on the controller."""

    ARGUMENTS = spec(
        interpreter=dict(type="str", default=sys.executable),
        modules=dict(type="list", elements="str", default=[]),
    )

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        # An action works in a process of its own; its parent is ansible-playbook, also when that has just ended.
        parent = multiprocessing.parent_process()
        program = parent.pid if parent and parent.pid else os.getpid()
        given = args["interpreter"]
        if given != sys.executable:
            why = "it is not the Python of Ansible"
        elif self._task.become:
            why = "somebody else is to run it"
        elif not warm_python.supported():
            why = "this machine cannot wait for a process as for a file"
        else:
            # It saves time and nothing else.
            try:
                self._pack(args["modules"], task_vars, program)
                return {"interpreter": warm_python.begin(program), "why": ""}
            except OSError as error:
                why = f"it could not be begun: {error}"
        return {"interpreter": given, "why": why}

    def _pack(self, modules: list[str], task_vars: Mapping[str, Any], program: int) -> None:
        """Have Ansible pack modules into its cache of this ansible-playbook, in a process that nobody waits for.

        A task that comes before its module is packed packs it itself, or waits for the lock of Ansible. Raises OSError.
        """
        ended = os.pidfd_open(program)
        if not modules or os.fork():
            os.close(ended)
            return
        # Whatever goes wrong is told by the task that runs the module.
        with contextlib.suppress(BaseException):
            os.setsid()
            for name in modules:
                if select.select([ended], [], [], 0)[0]:
                    break
                self._configure_module(module_name=name, module_args={}, task_vars=dict(task_vars))
        # Ansible has removed its folder, and made it again for the module that was being packed.
        if select.select([ended], [], [], 0)[0]:
            shutil.rmtree(constants.DEFAULT_LOCAL_TMP, ignore_errors=True)
        os._exit(0)
