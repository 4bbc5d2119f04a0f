# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/models/texts.py: say where a text comes from and where it goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.models import texts
from ansible_collections.cloudbench.llama.plugins.module_utils.models.text_place import path_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Works from what is asked for alone."""

    ARGUMENTS = spec(entry=dict(type="raw", required=True))
    ERRORS = (texts.TextSourceError,)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        text = texts.parse(args["entry"])
        return {
            "name": text.name,
            "packaged": text.packaged is not None,
            "web": bool(text.url),
            "origin": text.url or text.path,
            "sha256": text.sha256,
            "path": "~/" + path_of(text.name),
        }
