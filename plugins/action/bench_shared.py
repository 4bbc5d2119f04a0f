# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/shared/summary.py: say what is shared in a bucket of S3, by machine and month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.s3 import S3Error
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export.parquet import ExportError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import TableError


class ActionModule(CoreAction):
    """Works from the bucket alone."""

    ARGUMENTS = spec(
        bucket=dict(type="str", required=True),
        machine=dict(type="str", default=""),
        month=dict(type="str", default=""),
    )
    ERRORS = (SharedError, S3Error, AwsError, ExportError, TableError, OSError)
    FAILURE = "what is shared could not be summed up: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        shared = summary.summary(args["bucket"], args["machine"], args["month"], cells=bool(args["machine"]))
        self.show(summary.said(shared, args["bucket"]))
        return {
            "partitions": [partition._asdict() for partition in shared.partitions],
            "figures": [figure._asdict() for figure in shared.figures],
            "objects": shared.objects,
            "problems": shared.problems,
        }
