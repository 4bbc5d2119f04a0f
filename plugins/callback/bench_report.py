# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect what hosts measured into the store as it arrives, and write the pages when the play ends."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bench_report
type: aggregate
short_description: Keep benchmark records and write the markdown reports
description:
  - Appends every record that a task of this collection returns under C(bench_records) to
    C(<results_dir>/<machine>/records/<run>.jsonl) as soon as the task ends. What any other task returns is not kept,
    since it would be the word of a host alone.
  - Writes the markdown pages from the records when the play ends, unless role P(cloudbench.llama.bench_report#role)
    has already done it.
  - A host that cannot be reached becomes a failure record too.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
requirements:
  - Enabling by C(callbacks_enabled = cloudbench.llama.bench_report) in C(ansible.cfg).
options:
  results_dir:
    description: The directory of records and pages, relative to the directory the command is given in.
    type: str
    default: results
    env:
      - name: CLOUDBENCH_RESULTS_DIR
    ini:
      - section: callback_bench_report
        key: results_dir
"""

import json
import os
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import terminal
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.display import PlainDisplay
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, run_id

# Of a command line, what decides whether another one asks for the same.
_ASKED = ("args", "inventory", "extra_vars", "subset", "tags", "skip_tags")
# Playbooks that measure, and so can be gone on with.
_MEASURE = {
    *("site.yml", "measure.yml", "tune.yml"),
    *("cloudbench.llama.site", "cloudbench.llama.measure", "cloudbench.llama.tune"),
}

# Whose records are kept: actions that work on the controller, or let a host give only what is its own. A host answers
# for any module with whatever it likes.
_KEPT_OF = {f"cloudbench.llama.{name}" for name in ("bench_failure", "bench_plan", "llama_bench")}
_RENDERS = "cloudbench.llama.bench_pages"

# Ansible colours nothing where standard output is no terminal, or where the person wants none.
_COLOURS = {
    "VALID": constants.COLOR_OK,
    "UNSTABLE": constants.COLOR_CHANGED,
    "INVALID": constants.COLOR_ERROR,
    "MISSING": constants.COLOR_ERROR,
}


class CallbackModule(CallbackBase):
    """Records come in the result of an action of ours, under one known key: name and register do not matter."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cloudbench.llama.bench_report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._display: Any = PlainDisplay(self._display)
        self._run = ""
        self._asked: str | None = None
        self._results_dir = ""
        # Here, so that Ansible says when it loads this what is missing; set_options() names the directory.
        self._writer = records.Writer(self._results_dir)
        self._to_render = False
        self._kept = False
        self._machines: dict[str, Any] = {}

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        # A variable that is set and empty would name the directory of the command: the checkout, with all in it.
        results_dir = self.get_option("results_dir") or "results"
        self._results_dir = os.path.abspath(os.path.expanduser(results_dir))
        # Role bench_report reads it there: a callback's options cannot be asked for from a play.
        os.environ[run_id.RESULTS_DIR_VARIABLE] = self._results_dir
        self._writer = records.Writer(self._results_dir)
        self._begin()

    def _begin(self) -> None:
        """Know the id of this run: before the first task, so that every action finds it in the environment."""
        asked = {name: value for name, value in context.CLIARGS.items() if name in _ASKED}
        playbooks = {os.path.basename(path) for path in asked.get("args") or ()}
        if not playbooks & _MEASURE:
            self._run = run_id.begin_run()
            return
        self._asked = envelope.digest(json.loads(json.dumps(asked, default=str)))
        self._run, said = run_id.go_on(self._results_dir, self._asked)
        if said:
            self._display.display("bench_report: %s" % said)

    def _keep(self, new: list[Any]) -> None:
        try:
            for problem in self._writer.append(new).problems:
                self._display.warning("bench_report: %s" % problem)
        except (records.RecordError, OSError) as error:
            # All that could be kept is kept; role bench_report ends the run with a failure for what is missing.
            self._display.error("bench_report: %s" % error)
        self._to_render = self._kept = True
        if self._asked and any(isinstance(record, dict) and record.get("kind") == "run" for record in new):
            run_id.note_unfinished(self._results_dir, self._run, self._asked)

    def _collect(self, result: Any) -> None:
        value = result.result.get(envelope.RESULT_KEY)
        if value is not None and result.task.resolved_action not in _KEPT_OF:
            self._display.warning(
                "bench_report: %s: a task of %s returned records, which would be the word of a host alone: they were "
                "not kept" % (result.host.get_name(), result.task.resolved_action)
            )
        elif isinstance(value, dict):
            if value.get("version") != envelope.RESULT_VERSION:
                self._display.warning(
                    "bench_report: records of form %r are not understood; update the collection" % value.get("version")
                )
                return
            given = value.get("records")
            new = given if isinstance(given, list) else [given]
            for record in new:
                if isinstance(record, dict):
                    self._machines[result.host.get_name()] = record.get("machine")
            self._keep(new)
        rendered = result.result.get("rendered")
        if rendered == self._results_dir and result.task.resolved_action == _RENDERS:
            self._to_render = False

    def v2_runner_on_ok(self, result: Any) -> None:
        self._collect(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._collect(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._collect(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._collect(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if result.task.check_mode:
            return
        host = result.host.get_name()
        machine = self._machines.get(host) or envelope.unknown_machine(host)
        cause = "The host could not be reached: %s" % result.result.get("msg", "no reason given")
        advice = "Check address, key and network; what it had measured is kept in its spool."
        self._keep([envelope.make("failure", self._run, machine, envelope.failure("connect", cause, advice))])

    def _forget(self) -> None:
        """Take the note away when every host that has begun to measure anything has come to its end."""
        try:
            of_run = records.read(self._results_dir, self._run).records
        except (records.RecordError, OSError):
            return
        begun = {record["machine"] for record in of_run if record["kind"] in ("launch", "bandwidth")}
        if begun <= {
            record["machine"]
            for record in of_run
            if record["kind"] == "end" and record["payload"]["state"] == "finished"
        }:
            run_id.forget_unfinished(self._results_dir, self._run)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._asked:
            self._forget()
        if self._to_render:
            self._render()
        if self._kept:
            self._tell()

    def _render(self) -> None:
        try:
            pages, _problems = report.render_store(self._results_dir)
            written = report.write(self._results_dir, pages, pages.figures)
        except (records.RecordError, report.ReportError, OSError) as error:
            self._display.error("bench_report: the pages could not be written: %s" % error)
            return
        drawn = [path for path in written if path.endswith(".svg")]
        for path in written:
            if path not in drawn:
                self._display.display("bench_report: wrote %s" % os.path.join(self._results_dir, path))
        if drawn:
            self._display.display("bench_report: wrote %d drawings of the figures on them" % len(drawn))

    def _tell(self) -> None:
        """Say what the run has come to."""
        try:
            of_run = records.read(self._results_dir, self._run).records
        except (records.RecordError, OSError):
            # Whoever could not read them has said so.
            return
        for line in terminal.lines(of_run, self._run, self._results_dir):
            self._display.display(line, color=_COLOURS.get(terminal.state(line) or ""))
