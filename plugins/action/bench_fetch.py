# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/shared/pull.py: read what others have put into a bucket of S3 and is missing here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.s3 import S3Error
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import pull
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import RecordError


class ActionModule(CoreAction):
    """Works from the store and the bucket alone."""

    ARGUMENTS = spec(
        results_dir=dict(type="path", required=True),
        bucket=dict(type="str", required=True),
        machine=dict(type="str", default=""),
        month=dict(type="str", default=""),
    )
    ERRORS = (SharedError, S3Error, AwsError, RecordError, OSError)
    FAILURE = "what is shared could not be fetched, and what was is kept: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        results_dir = os.path.abspath(args["results_dir"])
        fetched = pull.pull(
            results_dir, args["bucket"], self._display.display, args["machine"], args["month"], dry=self.check_mode
        )
        return {
            "changed": bool(fetched.lines),
            "objects": fetched.read,
            "records": fetched.lines,
            "present": fetched.present,
            "refused": fetched.refused,
            "summary": pull.said(fetched, args["results_dir"]),
        }
