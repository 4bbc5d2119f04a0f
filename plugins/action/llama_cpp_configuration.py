# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/catalog/builds.py: the exact CMake arguments of a build, and the key it is known by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Works from what the host has said before."""

    ARGUMENTS = spec(
        variant=dict(type="dict", required=True),
        source=dict(type="dict", required=True),
        machine=dict(type="dict", required=True),
        toolchain=dict(type="dict", required=True),
        cmake_options=dict(type="dict", default={}),
        targets=dict(type="list", elements="str", required=True),
        programs=dict(type="path"),
        warnings=dict(type="list", elements="str", default=[]),
    )
    ERRORS = (builds.BuildError, processors.CatalogError, OSError)

    def failure(self, error: Exception, args: Mapping[str, Any]) -> str:
        if isinstance(error, OSError):
            return f"programs {args['programs']} cannot be read: {error}"
        return f"build {args['variant']['name']}: {error}"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        variant, machine = args["variant"], args["machine"]
        made = builds.configure(
            variant,
            args["source"],
            machine,
            args["toolchain"],
            args["cmake_options"],
            args["targets"],
            args["programs"],
        )
        warnings = [*made.warnings, *args["warnings"]]
        for warning in warnings:
            self._display.warning("%s: build %s: %s" % (machine.get("name"), variant["name"], warning))
        told = {name: variant[name] for name in ("way", "engine", "licence", "provenance")}
        return {"configuration": dict(made._asdict(), warnings=warnings, **told)}
