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


class ActionModule(CoreAction):
    """Works from the store alone."""

    ARGUMENTS = spec(
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
    ERRORS = (records.RecordError, compare.CompareError, OSError, TableError)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        read = records.read(os.path.abspath(args["results_dir"]))
        runs = summary.runs(read.records)
        compared = compare.compare(runs, args["a"], args["b"], args["allow"])
        lost = compare.lost(runs, args["b"])
        told = compare.lines(compared, lost)
        words = [*(pair.verdict.word for pair in compared), *(compare.MISSING for _cell in lost)]
        failing = [line for line, word in zip(told[:-1], words, strict=True) if word in args["fail_on"]]
        return {"lines": told, "verdicts": words, "failing": failing}
