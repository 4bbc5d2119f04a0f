# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/renew_prices.py: a person's own table of what EC2 costs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.prices import PriceError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.find import enabled_regions
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.renew_prices import lines, renew
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Asks AWS from the controller, and writes there."""

    ARGUMENTS = spec(
        region=dict(type="str", default=""),
        regions=dict(type="list", elements="str", default=[]),
    )
    ERRORS = (aws.AwsError, PriceError, OSError)
    FAILURE = "The prices stay as they were: %s."

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        region = aws.region(args["region"])
        asked = enabled_regions(region) if args["regions"] == ["all"] else args["regions"] or [region]
        regions = [aws.region(name) for name in asked]
        today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
        renewed = renew(regions, today, write=not self.check_mode)
        self.show(lines(renewed, today))
        return {"changed": True, "file": str(renewed.path), "types": renewed.types}
