# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/s3.py: sign what is in S3 on the controller, and hand each secret on where it is hidden."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.module_utils.models.source import for_quantization
from ansible_collections.cloudbench.llama.plugins.module_utils.models.web import holds_secret, public
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.s3 import S3Error, presign


class ActionModule(ActionBase):
    """Runs the module of the same name on the host."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        address, object_name = arguments.get("url"), arguments.pop("s3", None)
        quantization = str(arguments.get("quantization") or "{quantization}")
        if address and object_name:
            return dict(result, failed=True, msg="url and s3 are two origins: give one of them")
        if object_name:
            object_name = for_quantization(str(object_name), quantization)
            try:
                signed, size = presign(object_name)
            except S3Error as error:
                return dict(result, failed=True, msg=str(error))
            arguments.update(secret_url=signed, source=object_name, bytes=size)
        elif address and holds_secret(str(address)):
            address = for_quantization(str(arguments.pop("url")), quantization)
            arguments.update(secret_url=address, source=public(address))
        return self._execute_module(
            module_name="cloudbench.llama.model_download", module_args=arguments, task_vars=task_vars
        )
