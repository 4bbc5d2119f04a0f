# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/analysis/compare.py: compare two selections of the records."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import TableError

_OFFER = "What can be compared of the records (other keys: run, model, commit, threads, test):"
_ABSENT = (
    "must say what to compare: key=value of machine, model, quantization, build, commit, threads, test or run, such as "
    "make compare A=build=no-repack B=build=default"
)


class ActionModule(CoreAction):
    """Works from the store alone."""

    ARGUMENTS = spec(
        results_dir=dict(type="path", required=True),
        a=dict(type="str", default=""),
        b=dict(type="str", default=""),
        allow=dict(type="list", elements="str", default=[]),
        fail_on=dict(
            type="list",
            elements="str",
            default=["slower", "missing"],
            choices=["faster", "slower", "equal", "undecided", "informational", "missing", "never"],
        ),
    )
    ERRORS = (records.RecordError, compare.CompareError, OSError, TableError)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        runs = summary.runs(records.read(os.path.abspath(args["results_dir"])).records)
        absent = [side for side in ("a", "b") if not args[side].strip()]
        if absent:
            self.show([_OFFER, *(f"  {command}" for command in compare.offers(runs))])
            raise compare.CompareError(f"{' and '.join(map(str.upper, absent))} {_ABSENT}")
        told = compare.told(
            compare.compare(runs, args["a"], args["b"], args["allow"]), compare.lost(runs, args["b"], args["a"])
        )
        shown = compare.lines(told)
        self.show(shown)
        failing = [line.sentence for line in told if line.word in args["fail_on"]]
        return {"lines": shown, "verdicts": [line.word for line in told], "failing": failing}
