# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/shared/push.py: put the records into a bucket of S3, beside those of others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.s3 import S3Error
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export.parquet import ExportError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import push
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import RecordError


class ActionModule(CoreAction):
    """Works from the store and the bucket alone."""

    ARGUMENTS = spec(results_dir=dict(type="path", required=True), bucket=dict(type="str", required=True))
    ERRORS = (SharedError, S3Error, AwsError, ExportError, RecordError, OSError)
    FAILURE = "the records could not be shared, and those that were are there: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        results_dir = os.path.abspath(args["results_dir"])
        pushed = push.push(results_dir, args["bucket"], self._display.display, dry=self.check_mode)
        return {
            "changed": pushed.changed,
            "objects": pushed.written,
            "records": pushed.lines,
            "present": pushed.present,
            "problems": pushed.problems,
            "refused": pushed.refused,
            "summary": push.said(pushed, args["bucket"]),
        }
