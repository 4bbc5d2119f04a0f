# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run module llama_cpp_compile in the background and show on the controller how far it is."""

from __future__ import annotations

import uuid
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.time_budget import duration
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import describe_compilation
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.live import PATIENCE_SECONDS, LiveAction

_MODULE = "cloudbench.llama.llama_cpp_compile"


class ActionModule(LiveAction):
    """Adds nothing to the module's options: what it does is to start it, to look and to fetch the result."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        self._host: str = (task_vars or {}).get("inventory_hostname", "host")
        self._what = "llama.cpp (build %s)" % args.get("name", "default")
        if self._task.check_mode or not args.get("directory"):
            return dict(result, **self._execute_module(_MODULE, args, task_vars=task_vars))
        # Its own files for each compilation: whoever waits for another one is looked at too.
        prefix = "%s/compile-%s" % (self._remote_expand_user(args["directory"]), uuid.uuid4().hex[:12])
        args.update(watch=prefix, patience=PATIENCE_SECONDS)
        return dict(result, **self._run_live(_MODULE, args, prefix, task_vars))

    def _whose(self) -> str:
        return self._host

    def _line(self, state: dict[str, Any]) -> str:
        return "%s: compiling %s: %s" % (self._host, self._what, describe_compilation(state))

    def _look(self, prefix: str) -> dict[str, Any] | None:
        return self._seen(prefix)[0]

    def _complete(self, job: dict[str, Any], prefix: str) -> dict[str, Any]:
        ended = self._result(job)
        if not ended:
            return {"failed": True, "msg": "the compiler was killed, and its module with it; run again, it goes on"}
        known = isinstance(ended.get("steps"), int) and isinstance(ended.get("wall_s"), (int, float))
        if known and ended["steps"] and not ended.get("failed"):
            told = "%s: compiled %s: %d steps in %s"
            self._display.display(told % (self._host, self._what, ended["steps"], duration(ended["wall_s"])))
        return ended

    def _lost(self, error: AnsibleConnectionFailure) -> dict[str, Any]:
        return {"failed": True, "msg": "the host was lost while it compiled: %s" % error}
