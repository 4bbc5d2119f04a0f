# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/models/source.py: say by which way a model is obtained, and with which programs."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.module_utils.models import source as model_source
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                entry=dict(type="raw", required=True),
                quantization=dict(type="str", required=True),
                builds=dict(type="list", elements="dict", default=[]),
            )
        )
        try:
            quantization = lookup(args["quantization"]).name
            source = model_source.parse(args["entry"])
            digest = source.digest(quantization)
        except ValueError as error:
            return dict(result, failed=True, msg=str(error))
        # Neither url nor s3: what is shown of a result must hold no secret.
        result.update(
            name=source.name,
            way=source.way,
            path=source.path,
            repository=source.repository,
            file=source.file,
            revision=source.revision,
            sha256=digest,
            quantize_binary=model_source.quantize_binary(args["builds"], quantization),
            vocabulary=model_source.vocabulary(args["builds"]),
        )
        return result
