# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of action plugins whose module takes minutes or hours: it runs in the background, and is looked at."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
import time
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import last_words
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
# What Ansible's wrapper answers with for a module that printed no result, beside what a module may.
_OF_WRAPPER = {"cmd", "data", "stderr", "msg"}
# What no process of Linux has for a number (PID_MAX_LIMIT).
_MOST_PID = 1 << 22

# One command for each look: over ssh each costs the controller a process, and the host too.
_LOOK = (
    "touch -c {0}.seen; "
    'kill -0 "$(sed -n \'s/.*"pid": *\\([0-9][0-9]*\\).*/\\1/p\' {0}.progress.json 2>/dev/null)" 2>/dev/null '
    "&& echo alive || echo gone; cat {0}.progress.json 2>/dev/null; echo"
)

# What Ansible calls the result of a job, and the directory of its module.
_LEAVINGS = (r"j\d+\.\d+", r"ansible-tmp-[\d.-]+")


class LiveAction(PlainAction):
    """Starts a module, looks at the file in which it says how far it is, and fetches its result."""

    _supports_check_mode = True
    # How long a host may not answer before it counts as lost, in seconds.
    _silence = 600.0
    # Whether a later run goes on with this job under the same prefix.
    _goes_on = False
    # What the job of a controller that was killed has left on the host.
    _left: Sequence[str] = ()
    # Where the module of this job lies on the host.
    _module_directory = ""
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
        if job.get("failed"):
            return plain_result(job)
        if self._goes_on:
            self._remember(job, prefix)
        return plain_result(self._follow(job, prefix, controller, task_vars))

    def _start(self, module: str, args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        # The executor polls by itself a task that is still async when its action returns.
        self._task.async_val = LIFE_SECONDS
        try:
            return dict(self._execute_module(module, args, task_vars=task_vars, wrap_async=True))
        finally:
            self._task.async_val = 0

    def _make_tmp_path(self, remote_user: str | None = None) -> str:
        # The base forgets it as soon as the job has started, for the wrapper is to remove it.
        self._module_directory = str(super()._make_tmp_path(remote_user))
        return self._module_directory

    def _remember(self, started: dict[str, Any], prefix: str) -> None:
        """Write down on the host which files the wrapper of this job keeps, and read which that of the one before kept.

        A controller or a host that was killed has removed nothing, and whoever goes on with its run knows no other way
        to. A host that does not answer just now keeps some files more.
        """
        note = shlex.quote(prefix + ".job")
        # Ansible ends the name of a directory that it makes with a slash.
        kept = [str(started.get("results_file") or ""), self._module_directory.rstrip("/")]
        now = " ".join(map(shlex.quote, kept))
        command = "mkdir -p %s; cat %s 2>/dev/null; printf '%%s\\n' %s > %s"
        try:
            told = self._said(command % (shlex.quote(posixpath.dirname(prefix)), note, now, note))
        except AnsibleConnectionFailure:
            return
        # Nothing else is ever removed, whatever stands there.
        self._left = [
            before
            for before, path, pattern in zip(told.splitlines(), kept, _LEAVINGS, strict=False)
            if posixpath.dirname(before) == posixpath.dirname(path) != ""
            and before != path
            and re.fullmatch(pattern, posixpath.basename(before))
        ]

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
                if self._left:
                    # Not before: the runner of then may have ended only when this one asked it to.
                    self._low_level_execute_command("rm -rf -- %s" % " ".join(map(shlex.quote, self._left)))
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

    def _seen(self, prefix: str, more: str = "") -> tuple[dict[str, Any] | None, str]:
        """Look at a progress file by one command; return its content with `alive`, and what the command `more` prints.

        `alive`: whether who wrote it is there and at work. The content is None before there is any. A sign of having
        looked is left behind. Raises AnsibleConnectionFailure.
        """
        look = _LOOK.format(shlex.quote(prefix))
        alive, _newline, rest = self._said(f"{look}; {more}" if more else look).partition("\n")
        shown, _newline, told = rest.partition("\n")
        try:
            state = json_text.loads(shown)
        except ValueError:
            return None, told
        # A host may answer anything.
        pid, left = (state.get("pid"), state.get("left_s")) if isinstance(state, dict) else (None, None)
        if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < _MOST_PID:
            return None, told
        if isinstance(left, bool) or not isinstance(left, (int, float)) or not 0 <= left <= LIFE_SECONDS:
            state["left_s"] = None
        self._begun = True
        # By a terminal, as sudo may want one, lines end otherwise.
        return dict(state, alive=alive.strip() == "alive" and not state.get("finished")), told

    @staticmethod
    def _result(job: dict[str, Any]) -> dict[str, Any]:
        """Return the module's own result, without what the wrapper adds; nothing of a module that printed none.

        For one that was killed the wrapper answers, with the command, what it had printed and a traceback of its own
        (_run_module of ansible-core's async_wrapper): none of it says what became of the module.
        """
        if job.get("failed") and set(job) >= _OF_WRAPPER:
            return {}
        return {key: value for key, value in job.items() if key not in ("started", "finished", "ansible_job_id")}

    @staticmethod
    def _last_words(job: dict[str, Any]) -> str:
        """Return ": " and what a module said last that printed no result, nothing of one that said nothing."""
        said = str(job.get("stderr") or "").strip()
        return f": {last_words(said)}" if said and set(job) >= _OF_WRAPPER else ""


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
        return self._seen(prefix)[0]

    def _complete(self, job: dict[str, Any], _prefix: str) -> dict[str, Any]:
        killed = "its module was killed; run again, it goes on with what is there or begins anew"
        return self._result(job) or {"failed": True, "msg": killed}

    def _lost(self, error: AnsibleConnectionFailure) -> dict[str, Any]:
        return {"failed": True, "msg": f"the host was lost while it made a file: {error}"}
