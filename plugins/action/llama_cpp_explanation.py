# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/catalog/explanation.py: which CMake line an instance type gets, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds, explanation, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Works from the catalog alone."""

    ARGUMENTS = spec(
        instance_type=dict(type="str", required=True),
        gcc=dict(type="int", default=0),
        builds=dict(type="list", elements="raw", default=["default"]),
        defaults=dict(type="dict", required=True),
        cmake_options=dict(type="dict", default={}),
        targets=dict(type="list", elements="str", required=True),
    )
    ERRORS = (builds.BuildError, processors.CatalogError)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        lines = explanation.explanation(
            args["instance_type"],
            args["gcc"] or None,
            args["builds"],
            args["defaults"],
            args["cmake_options"],
            args["targets"],
        )
        self.show(lines)
        return {"lines": lines}
