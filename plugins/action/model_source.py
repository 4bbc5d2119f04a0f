# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/models/source.py: say by which way a model is obtained, and with which programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.models import source as model_source
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Works from what is asked for and the builds that were made."""

    ARGUMENTS = spec(
        entry=dict(type="raw", required=True),
        quantization=dict(type="str", required=True),
        builds=dict(type="list", elements="dict", default=[]),
    )
    # What is asked for is read by several parts of module_utils/models/, each with an error of its own.
    ERRORS = (ValueError,)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wanted = lookup(args["quantization"])
        quantization = wanted.name
        source = model_source.parse(args["entry"])
        model_source.check_quantization(source, wanted)
        # Neither url nor s3: what is shown of a result must hold no secret.
        return {
            "name": source.name,
            "way": source.way,
            "path": source.path,
            "repository": source.repository,
            "file": source.file,
            "revision": source.revision,
            "requantize": source.requantize,
            "sha256": source.digest(quantization),
            "quantize_binary": model_source.quantize_binary(args["builds"], quantization),
            "imatrix_binary": model_source.imatrix_binary(args["builds"]),
            "vocabulary": model_source.vocabulary(args["builds"]),
        }
