# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/report/pages.py: write the pages of all records, and say what of a run is missing or failed."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import failure_line
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import unrecorded
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import (
    RESULTS_DIR_VARIABLE,
    RunError,
    current_run,
)


def _promised(task_vars, run):
    """Return the cells that the hosts of this run were promised, by machine name; none when nothing was planned."""
    hosts = [host_vars for host_vars in (task_vars.get("hostvars") or {}).values() if "llama_bench_plan" in host_vars]
    return {
        host_vars["llama_bench_machine"]["name"]: host_vars["llama_bench_plan"]["cells"]
        for host_vars in hosts
        if host_vars["llama_bench_plan"]["run"] == run
    }


class ActionModule(ActionBase):
    """Runs on the controller alone, from the store alone."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(results_dir=dict(type="path", required=True))
        )
        try:
            run = current_run()
        except RunError:
            # Pages can be written without the callback; only a run of its own needs it.
            run = None
        results_dir = os.path.abspath(args["results_dir"])
        kept = os.environ.get(RESULTS_DIR_VARIABLE)
        if run and kept and os.path.abspath(kept) != results_dir:
            # Judged by an empty store, everything would seem well.
            raise AnsibleActionFail(
                "the records of this run are kept in %s, not in %s: set %s for both"
                % (kept, results_dir, RESULTS_DIR_VARIABLE)
            )
        try:
            pages, problems = report.render_store(results_dir)
            own = records.read(results_dir, run).records if run else []
            changed = [] if self._task.check_mode else report.write(results_dir, pages, pages.figures)
        except (records.RecordError, report.ReportError, OSError) as error:
            raise AnsibleActionFail("the pages could not be written: %s" % error) from error
        promised = sorted({path for one in own if one["kind"] == "run" for path in report.promised_pages(one)})
        missing = ["page " + path for path in promised if not os.path.exists(os.path.join(results_dir, path))]
        missing += unrecorded(own, _promised(task_vars, run))
        return dict(
            result,
            changed=bool(changed),
            written=changed,
            run=run,
            pages=promised,
            missing=missing,
            failures=[failure_line(one["machine"], one["payload"]) for one in summary.standing_failures(own)],
            problems=[str(problem) for problem in problems],
            rendered=results_dir,
        )
