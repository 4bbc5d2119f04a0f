# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/s3.py: sign what is in S3 on the controller, and hand each secret on where it is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.models.source import for_quantization
from ansible_collections.cloudbench.llama.plugins.module_utils.models.web import holds_secret, public
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.s3 import S3Error, presign
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.live import FileAction


class ActionModule(FileAction):
    """Adds option s3 to those of the module."""

    MODULE = "cloudbench.llama.model_download"
    ERRORS = (S3Error,)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        address, object_name = args.get("url"), args.pop("s3", None)
        quantization = str(args.get("quantization") or "{quantization}")
        if address and object_name:
            return {"failed": True, "msg": "url and s3 are two origins: give one of them"}
        if object_name:
            object_name = for_quantization(str(object_name), quantization)
            signed, size = presign(object_name)
            args.update(secret_url=signed, source=object_name, bytes=size)
        elif address and holds_secret(str(address)):
            address = for_quantization(str(args.pop("url")), quantization)
            args.update(secret_url=address, source=public(address))
        return self.module(args, task_vars)
