# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/report/pages.py: write the pages of all records, and say what of a run is missing or failed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import failure_line
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import unrecorded
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import ActionFailed, CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import (
    RESULTS_DIR_VARIABLE,
    RunError,
    current_run,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import plain


def _promised(task_vars: Mapping[str, Any], run: str | None) -> dict[str, list[dict[str, Any]]]:
    """Return the cells that the hosts of this run were promised, by machine name; none when nothing was planned."""
    hosts = [host_vars for host_vars in (task_vars.get("hostvars") or {}).values() if "llama_bench_plan" in host_vars]
    return {
        host_vars["llama_bench_machine"]["name"]: host_vars["llama_bench_plan"]["cells"]
        for host_vars in hosts
        if host_vars["llama_bench_plan"]["run"] == run
    }


class ActionModule(CoreAction):
    """Works from the store alone."""

    ARGUMENTS = spec(results_dir=dict(type="path", required=True))
    ERRORS = (records.RecordError, report.ReportError, OSError)
    FAILURE = "the pages could not be written: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        try:
            run = current_run()
        except RunError:
            # Pages can be written without the callback; only a run of its own needs it.
            run = None
        results_dir = os.path.abspath(args["results_dir"])
        kept = os.environ.get(RESULTS_DIR_VARIABLE)
        if run and kept and os.path.abspath(kept) != results_dir:
            # Judged by an empty store, everything would seem well.
            raise ActionFailed(
                "the records of this run are kept in %s, not in %s: set %s for both"
                % (kept, results_dir, RESULTS_DIR_VARIABLE)
            )
        with report.alone(results_dir):
            pages, problems = report.render_store(results_dir, self._display.display)
            of_run = records.read(results_dir, run).records if run else []
            changed = [] if self.check_mode else report.write(results_dir, pages, pages.figures, self._display.display)
        promised = sorted(
            {path for record in of_run if record["kind"] == "run" for path in report.promised_pages(record)}
        )
        missing = ["page " + path for path in promised if not os.path.exists(os.path.join(results_dir, path))]
        missing += unrecorded(of_run, _promised(task_vars, run))
        failures = summary.standing_failures(of_run)
        # What failed says so itself; what only had no time, or was ended, would pass for a run in which all is well.
        missing += [
            f"every figure of {of_host.machine}: {summary.why_nothing(of_host)}"
            for of_host in summary.runs(of_run)
            if of_host.plan and not (summary.fruitful(of_host) or summary.tuned(of_host)) and not of_host.failures
        ]
        missing += [
            f"{of_host.machine}: {said}" for of_host in summary.runs(of_run) for said in summary.not_found(of_host)
        ]
        return {
            "changed": bool(changed),
            "written": changed,
            "run": run,
            "pages": promised,
            # Ansible prints them.
            "missing": list(map(plain, missing)),
            "failures": [plain(failure_line(record["machine"], record["payload"])) for record in failures],
            "problems": list(map(plain, problems)),
            "rendered": results_dir,
        }
