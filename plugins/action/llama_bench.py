# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run module llama_bench in the background and show on the controller how far it is."""

from __future__ import annotations

import json
import os
import posixpath
import shlex
import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import describe
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RESULTS_DIR_VARIABLE

# Looking costs the host a shell and a read. Every 15 s is too rare to be measured; sooner only when the end is near.
POLL_SECONDS = 15.0
# Without the controller for this long, the host begins no further launch.
PATIENCE_SECONDS = 120.0
# A runner that is gone and left no result for this long was killed together with its wrapper.
GONE_SECONDS = 60.0
# Before it has written anything it may just be starting, on a machine that is slow.
START_SECONDS = 300.0
# The background job may live as long as its launches may take; this only bounds a job that never ends.
LIFE_SECONDS = 30 * 24 * 3600

_MODULE = "cloudbench.llama.llama_bench"


class ActionModule(ActionBase):
    """Adds nothing to the module's options: what it does is to start it, to look and to fetch the result."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        self._silence = float(args.get("silence", 600))
        # What was seen of the spool: its records, and how many lines they were read from.
        self._kept, self._lines = [], 0
        self._controller = os.getppid()
        if self._task.check_mode:
            return dict(result, **self._execute_module(_MODULE, args, task_vars=task_vars))
        spool = self._expand(args.get("spool") or "~/.cache/cloudbench/spool")
        args.update(spool=spool, patience=PATIENCE_SECONDS)
        job = self._start(args, task_vars)
        if job.get("failed"):
            return dict(result, **job)
        ended = self._follow(job, "%s/%s" % (spool, args["run"]), args, task_vars)
        return dict(result, **ended)

    def _start(self, args, task_vars):
        # The executor polls by itself a task that is still async when its action returns.
        self._task.async_val = LIFE_SECONDS
        try:
            return self._execute_module(_MODULE, args, task_vars=task_vars, wrap_async=True)
        finally:
            self._task.async_val = 0

    def _expand(self, path):
        """Return a path as the module on the host will: by HOME there, which _remote_expand_user does not ask."""
        if not path.startswith("~/"):
            return self._remote_expand_user(path)
        return self._low_level_execute_command('printf %s "$HOME"')["stdout"].strip() + path[1:]

    def _job(self, started, task_vars, mode="status"):
        # Where the wrapper says it writes: async_status would look for it below another home.
        args = dict(jid=started["ansible_job_id"], mode=mode, _async_dir=posixpath.dirname(started["results_file"]))
        return self._execute_module("ansible.legacy.async_status", args, task_vars=task_vars)

    def _follow(self, started, prefix, args, task_vars):
        """Show the progress until the job has ended and return its result, or what the host kept of a job that died."""
        wait, shown = 1.0, None
        heard = lived = time.monotonic()
        while True:
            time.sleep(wait)
            if os.getppid() != self._controller:
                # The controller was killed, and this worker would hang for ever: it holds both ends of the pipe through
                # which results go. What the host measured is in the store and in its spool, for the run that goes on.
                os._exit(1)
            try:
                state = self._look(prefix)
                job = {} if state and state["alive"] else self._job(started, task_vars)
            except AnsibleConnectionFailure as error:
                if time.monotonic() - heard > self._silence:
                    return self._lost(error)
                self._display.display("%s: lost, trying again: %s" % (self._name(args), error))
                self._connection.reset()
                continue
            heard = time.monotonic()
            if state and state["alive"]:
                lived = heard
            line = describe(state) if state else None
            if line and line != shown:
                self._display.display("%s: %s" % (self._name(args), line))
                shown = line
            if job.get("finished"):
                self._job(started, task_vars, mode="cleanup")
                return self._complete(job, prefix)
            if heard - lived > (GONE_SECONDS if state else START_SECONDS):
                return self._complete({}, prefix)
            left = state.get("left_s") if state else None
            wait = min(POLL_SECONDS, wait * 2 if left is None else max(1.0, left + 0.5))

    @staticmethod
    def _name(args):
        return args["machine"].get("name", "host")

    def _look(self, prefix):
        """Return the progress and whether the runner lives, None before it wrote any; leave a sign of having looked.

        The records that are new are taken along: a host may go for good, as a spot instance does.
        """
        look = "touch -c {0}.seen; cat {0}.progress.json 2>/dev/null; echo; tail -n +{1} {0}.jsonl 2>/dev/null"
        command = look.format(shlex.quote(prefix), self._lines + 1)
        shown, _newline, new = self._low_level_execute_command(command)["stdout"].partition("\n")
        # The last line may be one that is just being written.
        whole = new[: new.rfind("\n") + 1]
        self._keep(_records(whole))
        self._lines += whole.count("\n")
        try:
            state = json.loads(shown)
        except ValueError:
            return None
        alive = self._low_level_execute_command("kill -0 %d 2>/dev/null" % int(state["pid"]))["rc"] == 0
        return dict(state, alive=alive and not state.get("finished"))

    def _keep(self, new):
        """Put records into the store at once: neither this controller nor the host may live until the end."""
        self._kept += new
        directory = os.environ.get(RESULTS_DIR_VARIABLE)
        if not new or not directory:
            return
        try:
            records.append(directory, new)
        except (records.RecordError, OSError) as error:
            # The callback, which gets them all in the end, tells what it cannot keep.
            self._display.vvv("not kept yet: %s" % error)

    def _complete(self, job, prefix):
        """Return the module's result; when it died without one, failed but with all it had written to the spool."""
        ended = {key: value for key, value in job.items() if key not in ("started", "finished", "ansible_job_id")}
        if envelope.RESULT_KEY in ended:
            return ended
        found = _records(self._low_level_execute_command("cat %s.jsonl 2>/dev/null" % shlex.quote(prefix))["stdout"])
        ended.setdefault("msg", "the runner ended without a result")
        return self._failed(ended, found)

    def _lost(self, error):
        """Return a failure with all that was seen of a host that does not answer any more."""
        told = "the host was lost while it measured and did not answer for %d s: %s" % (self._silence, error)
        return self._failed({"msg": told}, self._kept)

    @staticmethod
    def _failed(ended, found):
        if found:
            ended[envelope.RESULT_KEY] = envelope.as_result(found)
        return dict(ended, failed=True)


def _records(lines):
    """Return the records of the lines of a spool; a line that is cut off is none."""
    found = []
    for line in lines.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
