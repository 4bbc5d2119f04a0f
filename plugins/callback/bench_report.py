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
  - Where several hosts measure side by side it says now and then how many are done, run and failed and what is left,
    and writes the pages again as each ends, unless the controller itself is among those that measure.
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

import contextlib
import json
import multiprocessing
import os
import signal
import threading
import time
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.fleet import RUNNING, Fleet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import terminal
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.display import PlainDisplay
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.fleet_channel import Channel
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
# The task in which hosts measure side by side.
_MEASURING = "cloudbench.llama.llama_bench"
# Seconds between two lines on all hosts, where none of them ends.
_FLEET_S = 60.0

# Ansible colours nothing where standard output is no terminal, or where the person wants none.
_COLOURS = {
    "VALID": constants.COLOR_OK,
    "UNSTABLE": constants.COLOR_CHANGED,
    "INVALID": constants.COLOR_ERROR,
    "MISSING": constants.COLOR_ERROR,
}


def _write_pages(results_dir: str) -> list[str]:
    """Write the pages of all records, one process at a time, and return the paths that changed."""
    with report.alone(results_dir):
        pages, _problems = report.render_store(results_dir)
        return report.write(results_dir, pages, pages.figures)


def _write_beside(results_dir: str) -> None:
    """In a process of its own, while hosts measure. What goes wrong here is told when the pages are written last."""
    # Ctrl-C is for those who measure, and what Ansible does when it is ended is not for this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(records.RecordError, report.ReportError, OSError):
        _write_pages(results_dir)


class _Side:
    """What goes on beside the hosts that measure: a line on all of them, and the pages of those that have ended."""

    def __init__(self, results_dir: str, display: Any) -> None:
        self._results_dir, self._display = results_dir, display
        self._fleet, self._channel = Fleet(), Channel()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._here: set[str] = set()
        self._due = self._changed = False
        self._writer: Any = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def begin(self, name: str, here: bool, usd_hour: Any) -> None:
        """A host begins to measure; `here`: it is this machine."""
        with self._lock:
            self._fleet.begin(name, usd_hour)
            if here:
                self._here.add(name)
            several = len(self._fleet.hosts) > 1
        if several and not self._thread.ident:
            self._thread.start()

    def skip(self, name: str) -> None:
        """A host has nothing to measure."""
        with self._lock:
            self._fleet.drop(name)
            self._here.discard(name)

    def end(self, name: str, failed: bool) -> None:
        """A host has come to its end: its pages are due."""
        with self._lock:
            self._here.discard(name)
            self._fleet.end(name, failed)
            self._changed = True
            # After the last one they are written anyway.
            self._due = self._fleet.count(RUNNING) > 0

    def close(self) -> None:
        """Wait for the pages that are being written, and end."""
        self._over.set()
        if self._thread.ident:
            self._thread.join()
        if self._writer:
            self._writer.join()
        self._channel.close()

    def _follow(self) -> None:
        told_at = time.monotonic()
        while not self._over.is_set():
            for name, left_s in self._channel.told(1.0):
                with self._lock:
                    self._fleet.progress(name, left_s, time.monotonic())
            now = time.monotonic()
            if self._changed or now - told_at >= _FLEET_S:
                told_at, self._changed = now, False
                with self._lock:
                    line = self._fleet.line(now) if len(self._fleet.hosts) > 1 else ""
                if line:
                    self._display.display(line)
            self._write()

    def _write(self) -> None:
        """Begin to write the pages where they are due, nobody does, and no measurement on this machine would notice."""
        if self._due and not self._here and not (self._writer and self._writer.is_alive()):
            self._due = False
            fork = multiprocessing.get_context("fork")
            self._writer = fork.Process(target=_write_beside, args=(self._results_dir,), daemon=True)
            # Forked as Ansible forks its workers: nobody may be in the middle of a line.
            with self._display._lock:
                self._writer.start()


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
        # Whether something could not be kept: the hosts have it, and the same command fetches it.
        self._refused = False
        self._machines: dict[str, Any] = {}
        self._plans: dict[str, list[dict[str, Any]]] = {}
        self._side: _Side | None = None
        self._play: Any = None

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
            self._refused = True
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
                    if record.get("kind") in ("machine", "run"):
                        self._plans.setdefault(result.host.get_name(), []).append(record)
            self._keep(new)
            self._reached(result.host.get_name(), new)
        rendered = result.result.get("rendered")
        if rendered == self._results_dir and result.task.resolved_action == _RENDERS:
            self._to_render = False

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if task.action == _MEASURING and not task.check_mode:
            self._side = self._side or _Side(self._results_dir, self._display)
            known = self._play.get_variable_manager().get_vars(play=self._play, host=host, task=task)
            here = str(known.get("ansible_connection", "")).rpartition(".")[2] == "local"
            self._side.begin(host.get_name(), here, self._usd_hour(host.get_name()))

    def _usd_hour(self, host: str) -> Any:
        """Return what an hour of a host costs, None where that is unknown or its plan cannot be read."""
        try:
            of_host = summary.runs([records.upgrade(record) for record in self._plans.get(host, [])])
            price = cost.hourly(of_host[-1]) if of_host else None
        except (records.RecordError, KeyError, TypeError, ValueError):
            # It is somebody else's record, which the store names when it is read.
            return None
        return price.usd if price else None

    def _ended(self, result: Any, failed: bool) -> None:
        if self._side and result.task.action == _MEASURING:
            self._side.end(result.host.get_name(), failed)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._collect(result)
        self._ended(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._collect(result)
        self._ended(result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        if self._side and result.task.action == _MEASURING:
            self._side.skip(result.host.get_name())

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
        self._ended(result, failed=True)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        # Pages are written by whoever comes next: a play that reports, or this at the end.
        self._close_side()
        self._play = play

    def _close_side(self) -> None:
        if self._side:
            self._side.close()
            self._side = None

    def _reached(self, host: str, new: list[Any]) -> None:
        """Say of a host that could not be reached earlier in this run that it has ended under its own name."""
        unknown = envelope.unknown_machine(host)
        ended = any(isinstance(record, dict) and record.get("kind") == "end" for record in new)
        if ended and os.path.exists(os.path.join(self._results_dir, unknown, "records", self._run + ".jsonl")):
            self._keep([envelope.make("end", self._run, unknown, {"state": "finished", "launches": 0})])

    def _forget(self) -> None:
        """Take the note away when the same command has nothing to go on with.

        That is when every host that has begun to measure has come to its end, and none of several failed before it
        could begin: then the same command is to measure that one and not all of them again. What could not be kept is
        not known here, and is fetched from the hosts by the same command.
        """
        if self._refused:
            return
        try:
            of_run = records.read(self._results_dir, self._run).records
        except (records.RecordError, OSError):
            return
        begun = {record["machine"] for record in of_run if record["kind"] in ("launch", "bandwidth")}
        finished = {
            record["machine"]
            for record in of_run
            if record["kind"] == "end" and record["payload"]["state"] == "finished"
        }
        # What was refused in the plan will be refused again.
        kept_out = {
            record["machine"] for record in summary.standing_failures(of_run) if record["payload"]["phase"] != "plan"
        } - finished
        if begun <= finished and not (finished and kept_out):
            run_id.forget_unfinished(self._results_dir, self._run)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._close_side()
        if self._asked:
            self._forget()
        if self._to_render:
            self._render()
        if self._kept:
            self._tell()

    def _render(self) -> None:
        try:
            written = _write_pages(self._results_dir)
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
