# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/analysis/compare.py: compare two selections of the records."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


class ActionModule(ActionBase):
    """Runs on the controller alone, from the store alone."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                results_dir=dict(type="path", required=True),
                a=dict(type="str", required=True),
                b=dict(type="str", required=True),
                allow=dict(type="list", elements="str", default=[]),
                fail_on=dict(
                    type="list",
                    elements="str",
                    default=["slower", "missing"],
                    choices=["faster", "slower", "equal", "undecided", "informational", "missing", "never"],
                ),
            )
        )
        try:
            read = records.read(os.path.abspath(args["results_dir"]))
            runs = summary.runs(read.records)
            compared = compare.compare(runs, args["a"], args["b"], args["allow"])
            lost = compare.lost(runs, args["b"])
        except (records.RecordError, compare.CompareError, OSError) as error:
            raise AnsibleActionFail(str(error)) from error
        told = compare.lines(compared, lost)
        words = [*(one.verdict.word for one in compared), *(compare.MISSING for _cell in lost)]
        failing = [line for line, word in zip(told[:-1], words, strict=True) if word in args["fail_on"]]
        return dict(result, changed=False, lines=told, verdicts=words, failing=failing)
