# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/catalog/builds.py: one build of llama.cpp that is asked for, in full."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Works from the catalog and what the host has said before."""

    ARGUMENTS = spec(
        build=dict(type="raw", required=True),
        defaults=dict(type="dict", required=True),
        machine=dict(type="dict", required=True),
        prefix=dict(type="str", default=""),
    )
    ERRORS = (builds.BuildError,)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        target = args["machine"].get("architecture")
        variant = builds.resolve(args["build"], args["defaults"], target)
        prefix = args["prefix"] or builds.compiler_prefix(variant, platform.machine(), target)
        return {"variant": dict(variant, prefix=prefix)}
