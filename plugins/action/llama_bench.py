# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run module llama_bench in the background and show on the controller how far it is."""

from __future__ import annotations

import os
import shlex
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope, json_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import describe
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell import fleet_channel
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.live import (
    PATIENCE_SECONDS,
    START_SECONDS,
    LiveAction,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RESULTS_DIR_VARIABLE

_MODULE = "cloudbench.llama.llama_bench"
# What the controller writes itself, or what says that a run has ended.
_PLANNED = ("machine", "run", "failure", "end")


class ActionModule(LiveAction):
    """Adds nothing to the module's options: what it does is to start it, to look and to fetch the result."""

    _goes_on = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        self._silence = float(args.get("silence", 600))
        # What was seen of the spool: its records, and how many lines they were read from.
        self._kept: list[dict[str, Any]] = []
        self._refused: set[str] = set()
        self._lines = 0
        self._writer: records.Writer | None = None
        self._machine: str = (args.get("machine") or {}).get("name", "host")
        self._run: str = args.get("run", "")
        self._host: str = (task_vars or {}).get("inventory_hostname", self._machine)
        if self._task.check_mode:
            return dict(result, **self._execute_module(_MODULE, args, task_vars=task_vars))
        spool = self._expand(args.get("spool") or "~/.cache/cloudbench/spool")
        args.update(spool=spool, patience=PATIENCE_SECONDS)
        prefix = "%s/%s" % (spool, args["run"])
        self._give_back(prefix, args["run"])
        ended = self._run_live(_MODULE, args, prefix, task_vars)
        return dict(result, **ended)

    def _give_back(self, prefix: str, run: str) -> None:
        """Give a host what the controller has of this run, where the host has lost it, as another one in its place has.

        It would begin with the first launch again. Raises AnsibleConnectionFailure.
        """
        kept = os.path.join(os.environ.get(RESULTS_DIR_VARIABLE, ""), self._machine, "records", run + ".jsonl")
        if not os.path.isabs(kept) or not os.path.exists(kept):
            return
        path = prefix + ".jsonl"
        look = "mkdir -p {0}; test -s {1} || echo gone".format(shlex.quote(os.path.dirname(path)), shlex.quote(path))
        with open(kept, encoding="utf-8") as file:
            # What was planned and failed is no part of a spool.
            lines = [line for line in file if _spooled(line)]
        if lines and "gone" in self._said(look):
            self._display.display(
                "%s: gets back %d records of this run, which it has not" % (self._machine, len(lines))
            )
            self._transfer_data(path, "".join(lines))

    def _expand(self, path: str) -> str:
        """Return a path as the module on the host will: by HOME there, which _remote_expand_user does not ask."""
        if not path.startswith("~/"):
            return str(self._remote_expand_user(path))
        return self._said('printf %s "$HOME"') + path[1:]

    def _whose(self) -> str:
        return self._machine

    def _line(self, state: dict[str, Any]) -> str:
        fleet_channel.tell(self._host, state.get("left_s"))
        return "%s: %s" % (self._machine, describe(state))

    def _look(self, prefix: str) -> dict[str, Any] | None:
        """Return the progress and whether the runner lives, None before it wrote any; leave a sign of having looked.

        The records that are new are taken along: a host may go for good, as a spot instance does.
        """
        state, new = self._seen(prefix, f"tail -n +{self._lines + 1} {shlex.quote(prefix)}.jsonl 2>/dev/null")
        # The last line may be one that is just being written.
        whole = new[: new.rfind("\n") + 1]
        self._keep(self._of_host(_records(whole)))
        self._lines += whole.count("\n")
        return state

    def _of_host(self, given: list[Any]) -> list[dict[str, Any]]:
        """Return the records that are the host's to give; what else it gave is said once."""
        kept, reasons = records.of_host(given, self._run, self._machine)
        for reason in reasons:
            if reason not in self._refused:
                self._refused.add(reason)
                self._display.warning("%s: %s" % (self._machine, reason))
        return kept

    def _keep(self, new: list[dict[str, Any]]) -> None:
        """Put records into the store at once: neither this controller nor the host may live until the end."""
        self._kept += new
        directory = os.environ.get(RESULTS_DIR_VARIABLE)
        if not new or not directory:
            return
        try:
            self._writer = self._writer or records.Writer(directory)
            self._writer.append(new)
        except (records.RecordError, OSError) as error:
            # The callback, which gets them all in the end, tells what it cannot keep.
            self._display.vvv("not kept yet: %s" % error)

    def _complete(self, job: dict[str, Any], prefix: str) -> dict[str, Any]:
        """Return the module's result; when it died without one, failed but with all it had written to the spool."""
        ended = self._result(job)
        given = ended.pop(envelope.RESULT_KEY, None)
        if isinstance(given, dict) and given.get("version") != envelope.RESULT_VERSION:
            # The callback, which keeps none of them, says so.
            return dict(ended, **{envelope.RESULT_KEY: given})
        if isinstance(given, dict) and isinstance(given.get("records"), list):
            return dict(ended, **{envelope.RESULT_KEY: envelope.as_result(self._of_host(given["records"]))})
        try:
            written = self._of_host(_records(self._said("cat %s.jsonl 2>/dev/null" % shlex.quote(prefix))))
        except AnsibleConnectionFailure as error:
            self._display.vvv("not read: %s" % error)
            written = self._kept
        silent = "the runner gave no sign of life for %d s, and begins nothing more" % START_SECONDS
        without = "the runner ended without a result" + self._last_words(job)
        ended.setdefault("msg", without if self._begun or job else silent)
        return self._failed(ended, written)

    def _lost(self, error: AnsibleConnectionFailure) -> dict[str, Any]:
        """Return a failure with all that was seen of a host that does not answer any more."""
        told = "the host was lost while it measured and did not answer for %d s: %s" % (self._silence, error)
        return self._failed({"msg": told}, self._kept)

    @staticmethod
    def _failed(ended: dict[str, Any], written: list[dict[str, Any]]) -> dict[str, Any]:
        if written:
            ended[envelope.RESULT_KEY] = envelope.as_result(written)
        return dict(ended, failed=True)


def _spooled(line: str) -> bool:
    """Say whether a line of the store is a record that a runner writes before it ends, and goes on from."""
    return any(record["kind"] not in _PLANNED for record in _records(line))


def _records(lines: str) -> list[Any]:
    """Return what the lines of a spool hold; a line that is cut off holds nothing."""
    decoded = []
    for line in lines.splitlines():
        try:
            record = json_text.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            decoded.append(record)
    return decoded
