# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an EC2 instance is, from the instance metadata service, version 2 only.

Asked only where the machine says that it is one, so that no other machine waits for an address that is not there; by a
direct connection, because a proxy would answer for its own machine.
Source: docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html and
.../instancedata-data-categories.html.
"""

from __future__ import annotations

import http.client
import os
import re
import time
from typing import Dict, Mapping, Optional
from urllib.parse import urlsplit

# The variables that the SDKs of AWS know.
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"

_ENDPOINT = "http://169.254.169.254"
# The service is on the host itself and answers within milliseconds. All requests together get _BUDGET.
_TIMEOUT = 1.0
_BUDGET = 3.0
_LONGEST = 512
_TOKEN_SECONDS = 60
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{1,256}")

# Key of a machine record -> path below latest/meta-data and what a true answer looks like.
_FIELDS = {
    "type": ("instance-type", re.compile(r"[a-z][a-z0-9-]{0,30}\.[a-z0-9-]{1,30}")),
    "id": ("instance-id", re.compile(r"i-[0-9a-f]{8,17}")),
    "zone": ("placement/availability-zone", re.compile(r"[a-z]{2}(-[a-z0-9]{1,16}){2,5}")),
    "image": ("ami-id", re.compile(r"ami-[0-9a-f]{8,17}")),
    "life_cycle": ("instance-life-cycle", re.compile(r"on-demand|spot|scheduled|capacity-block")),
}

# File below /sys/class/dmi/id -> what an EC2 instance has in it. The tag is the instance's id on Nitro; only root reads
# the UUID, which begins with ec2 on Xen.
_DMI = {
    "sys_vendor": re.compile(r"Amazon EC2"),
    "board_vendor": re.compile(r"Amazon EC2"),
    "board_asset_tag": re.compile(r"i-[0-9a-f]{8,17}"),
    "product_uuid": re.compile(r"[eE][cC]2.*"),
}


def is_instance(root: str = "/") -> bool:
    """Return whether the firmware says that this is an EC2 instance."""
    for name, pattern in _DMI.items():
        try:
            with open(os.path.join(root, "sys/class/dmi/id", name), encoding="utf-8", errors="replace") as file:
                if pattern.fullmatch(file.read(_LONGEST).strip()):
                    return True
        except OSError:
            continue
    return False


def _request(endpoint: str, method: str, path: str, headers: Mapping[str, str]) -> Optional[str]:
    """Return the answer to one request, None for any that is not 200 with a short text."""
    parts = urlsplit(endpoint)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT)
    try:
        connection.request(method, "%s/latest/%s" % (parts.path.rstrip("/"), path), headers=dict(headers))
        response = connection.getresponse()
        body = response.read(_LONGEST + 1)
        if response.status != 200 or len(body) > _LONGEST:
            return None
        return body.decode("ascii", "replace").strip()
    finally:
        connection.close()


def instance(root: str = "/", environment: Optional[Mapping[str, str]] = None) -> Optional[Dict[str, Optional[str]]]:
    """Return {"type", "id", "zone", "image", "life_cycle"} of this instance; None where there is none, never an error.

    What the service does not tell, or tells in a form it does not have, is None; without a type there is no instance.
    `life_cycle` is on-demand, spot, scheduled or capacity-block.
    """
    variables = os.environ if environment is None else environment
    given = variables.get(ENDPOINT_VARIABLE)
    if variables.get(DISABLED_VARIABLE, "").lower() == "true" or not (given or is_instance(root)):
        return None
    endpoint = given or _ENDPOINT
    deadline = time.monotonic() + _BUDGET
    try:
        if urlsplit(endpoint).scheme != "http":
            return None
        ask = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
        token = _request(endpoint, "PUT", "api/token", ask)
        if token is None or not _TOKEN.fullmatch(token):
            return None
        told = {}  # type: Dict[str, Optional[str]]
        for name, (path, pattern) in _FIELDS.items():
            told[name] = None
            if time.monotonic() < deadline:
                answer = _request(endpoint, "GET", "meta-data/" + path, {"X-aws-ec2-metadata-token": token})
                told[name] = answer if answer and pattern.fullmatch(answer) else None
            if name == "type" and not told[name]:
                return None
        return told
    except (OSError, OverflowError, ValueError, http.client.HTTPException):
        return None
