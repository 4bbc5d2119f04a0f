# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of action plugins whose module takes minutes or hours: it runs in the background, and is looked at."""

from __future__ import annotations

import os
import posixpath
import shlex
import time
import uuid
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import ProgressError, describe_file
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import HostAction
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.display import PlainAction, plain_result
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import short

# Looking costs the host a shell and a read. Every 15 s is too rare to be measured; sooner only when the end is near.
POLL_SECONDS = 15.0
# What had nothing to do is over as soon.
FIRST_POLL_SECONDS = 0.25
# Without the controller for this long, the host begins nothing more.
PATIENCE_SECONDS = 120.0
# A runner that is gone and left no result for this long was killed together with its wrapper.
GONE_SECONDS = 60.0
# Before it has written anything it may just be starting, on a machine that is slow.
START_SECONDS = 300.0
# A background job may live as long as its work may take; this only bounds a job that never ends.
LIFE_SECONDS = 30 * 24 * 3600
# What a line about a host says of how far it is, when the host says something else than our runner would.
_STRANGE = "it says how far it is in a way that is not understood"
# So many characters of how far it is are read.
_LONGEST = 500
# What no process of Linux has for a number (PID_MAX_LIMIT).
_MOST_PID = 1 << 22


class LiveAction(PlainAction):
    """Starts a module, looks at the file in which it says how far it is, and fetches its result."""

    _supports_check_mode = True
    # How long a host may not answer before it counts as lost, in seconds.
    _silence = 600.0
    # Whether the runner has said how far it is.
    _begun = False

    @abstractmethod
    def _look(self, prefix: str) -> dict[str, Any] | None:
        """Return what the runner wrote last, with `alive`; None before it wrote any. Leaves a sign of having looked."""

    @abstractmethod
    def _line(self, state: dict[str, Any]) -> str:
        """Return the progress in one line, with whose it is."""

    @abstractmethod
    def _complete(self, job: dict[str, Any], prefix: str) -> dict[str, Any]:
        """Return the result of a job that ended; `job` is empty when it died without one."""

    @abstractmethod
    def _lost(self, error: AnsibleConnectionFailure) -> dict[str, Any]:
        """Return the failure of a host that does not answer any more."""

    def _run_live(self, module: str, args: dict[str, Any], prefix: str, task_vars: Any) -> dict[str, Any]:
        """Run the module to its end. `prefix` begins the paths of the files by which it is looked at."""
        controller = os.getppid()
        job = self._start(module, args, task_vars)
        ended = job if job.get("failed") else self._follow(job, prefix, controller, task_vars)
        return plain_result(ended)

    def _start(self, module: str, args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        # The executor polls by itself a task that is still async when its action returns.
        self._task.async_val = LIFE_SECONDS
        try:
            return dict(self._execute_module(module, args, task_vars=task_vars, wrap_async=True))
        finally:
            self._task.async_val = 0

    def _job(self, started: dict[str, Any], task_vars: Any, mode: str = "status") -> dict[str, Any]:
        # Where the wrapper says it writes: async_status would look for it below another home.
        args = dict(jid=started["ansible_job_id"], mode=mode, _async_dir=posixpath.dirname(started["results_file"]))
        return dict(self._execute_module("ansible.legacy.async_status", args, task_vars=task_vars))

    def _follow(self, started: dict[str, Any], prefix: str, controller: int, task_vars: Any) -> dict[str, Any]:
        """Show the progress until the job has ended and return its result, or what the host kept of a job that died."""
        wait, shown = FIRST_POLL_SECONDS, None
        heard = lived = time.monotonic()
        while True:
            time.sleep(wait)
            if os.getppid() != controller:
                # The controller was killed, and this worker would hang for ever: it holds both ends of the pipe through
                # which results go. What the host has done is kept there, for the run that goes on.
                os._exit(1)
            try:
                state = self._look(prefix)
                job = {} if state and state["alive"] else self._job(started, task_vars)
            except AnsibleConnectionFailure as error:
                if time.monotonic() - heard > self._silence:
                    return self._lost(error)
                self._display.display(f"{self._whose()}: lost, trying again: {error}")
                self._connection.reset()
                continue
            heard = time.monotonic()
            if state and state["alive"]:
                lived = heard
            line = self._told(state) if state else None
            if line and line != shown:
                self._display.display(line)
                shown = line
            if job.get("finished"):
                self._job(started, task_vars, mode="cleanup")
                return self._complete(job, prefix)
            if heard - lived > (GONE_SECONDS if state else START_SECONDS):
                return self._complete({}, prefix)
            left = state.get("left_s") if state else None
            wait = min(POLL_SECONDS, wait * 2 if left is None else max(1.0, left + 0.5))

    def _told(self, state: dict[str, Any]) -> str:
        """Return the progress in one line, whatever a host has written there."""
        try:
            return short(self._line(state), _LONGEST)
        except ProgressError:
            return f"{self._whose()}: {_STRANGE}"

    @abstractmethod
    def _whose(self) -> str:
        """Return the name under which a person knows the host."""

    def _said(self, command: str) -> str:
        """Return what a shell command prints on the host, between two marks of our own.

        The rest is noise: a shell may greet whoever logs in, before each command that comes over ssh. Raises
        AnsibleConnectionFailure where the marks are missing, so that nothing is taken for an answer that is none.
        """
        mark = uuid.uuid4().hex
        # In two words, so that a shell that prints its commands does not print the mark.
        sign = "printf %%s%%s cloudbench: %s" % mark
        whole = self._low_level_execute_command("%s; %s; %s" % (sign, command, sign))["stdout"]
        parts = str(whole).split("cloudbench:" + mark)
        if len(parts) != 3:
            told = whole.strip()[-200:]
            raise AnsibleConnectionFailure("its shell did not answer, it said %r" % told if told else "no answer")
        return parts[1]

    def _state(self, text: str) -> dict[str, Any] | None:
        """Return the content of a progress file with `alive`: whether who wrote it is there and at work."""
        try:
            state = json_text.loads(text)
        except ValueError:
            return None
        # A host may answer anything.
        pid, left = (state.get("pid"), state.get("left_s")) if isinstance(state, dict) else (None, None)
        if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < _MOST_PID:
            return None
        if isinstance(left, bool) or not isinstance(left, (int, float)) or not 0 <= left <= LIFE_SECONDS:
            state["left_s"] = None
        self._begun = True
        alive = self._low_level_execute_command("kill -0 %d 2>/dev/null" % pid)["rc"] == 0
        return dict(state, alive=alive and not state.get("finished"))

    @staticmethod
    def _result(job: dict[str, Any]) -> dict[str, Any]:
        """Return the module's own result, without what the wrapper adds."""
        return {key: value for key, value in job.items() if key not in ("started", "finished", "ansible_job_id")}


class FileAction(HostAction, LiveAction):
    """An action whose module makes a large file below its `directory`: shows how much of it is there."""

    def module(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run the module in the background, where it may have something to do."""
        self._host: str = task_vars.get("inventory_hostname", "host")
        if self.check_mode or not args.get("directory"):
            return super().module(args, task_vars)
        prefix = posixpath.join(self._remote_expand_user(args["directory"]), ".watch-" + uuid.uuid4().hex[:12])
        return self._run_live(self.MODULE, {**args, "watch": prefix, "patience": PATIENCE_SECONDS}, prefix, task_vars)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run the module."""
        return self.module(args, task_vars)

    def _whose(self) -> str:
        return self._host

    def _line(self, state: dict[str, Any]) -> str:
        return f"{self._host}: {describe_file(state)}"

    def _look(self, prefix: str) -> dict[str, Any] | None:
        look = "touch -c {0}.seen; cat {0}.progress.json 2>/dev/null".format(shlex.quote(prefix))
        return self._state(self._said(look))

    def _complete(self, job: dict[str, Any], _prefix: str) -> dict[str, Any]:
        killed = "its module was killed; run again, it goes on with what is there or begins anew"
        return self._result(job) or {"failed": True, "msg": killed}

    def _lost(self, error: AnsibleConnectionFailure) -> dict[str, Any]:
        return {"failed": True, "msg": f"the host was lost while it made a file: {error}"}
