# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/request/advice.py: which instance types would serve a model, how fast and for how much."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.prices import PriceError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import CatalogError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import advice, advice_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import RecordError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import TableError


class ActionModule(CoreAction):
    """Works from the store and the tables of the collection alone."""

    ARGUMENTS = spec(
        results_dir=dict(type="path", required=True),
        model=dict(type="str", default="llama-3.1-8b"),
        quantization=dict(type="str", default="Q4_0"),
        context=dict(type="int", default=4096),
        users=dict(type="int", default=1),
        token_ms=dict(type="float", default=0),
        first_s=dict(type="float", default=0),
        prompt=dict(type="int", default=1000),
        budget=dict(type="float", default=0),
        memory_gib=dict(type="float", default=0),
        region=dict(type="str", default="us-east-1"),
        market=dict(type="str", default="on-demand"),
        types=dict(type="list", elements="str", default=[]),
        rows=dict(type="int", default=10),
        page=dict(type="str", default=""),
    )
    ERRORS = (advice.AdviceError, PriceError, CatalogError, RecordError, TableError, OSError)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        results_dir, page = os.path.abspath(args.pop("results_dir")), args.pop("page")
        given = advice.advise(advice.Asked(**args), results_dir, datetime.datetime.now(datetime.UTC).date())
        self.show(advice_text.render(given))
        changed = bool(page) and not self.check_mode and advice_text.write(Path(os.path.abspath(page)), given)
        return {
            "changed": changed,
            "types": [candidate.kind.name for candidate in given.candidates],
            "meeting": [candidate.kind.name for candidate in given.candidates if candidate.meets in advice.MET],
            "command": given.command,
        }
