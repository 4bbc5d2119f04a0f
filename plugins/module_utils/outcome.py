# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one launch comes to, whichever program it ran: an outcome with figures, or a failure with its cause."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.process import Usage


class Outcome(NamedTuple):
    """What a launch measured.

    `argv` is the command of the program under test, `metrics` maps a name to {"value", "unit"} and perhaps "samples",
    `rows` are the tool's own rows verbatim, `kernel` what its log says of buffers and layouts, `usage` what the kernel
    accounted for its processes, and `detail` becomes further keys of the record's payload.
    """

    argv: List[str]
    metrics: Dict[str, Dict[str, Any]]
    rows: List[Dict[str, Any]]
    kernel: Dict[str, Any]
    usage: Usage
    detail: Dict[str, Any]


class LaunchFailed(Exception):
    """A launch gave no figure; `payload` is that of its failure record."""

    def __init__(self, payload: Dict[str, Any]) -> None:
        super().__init__(payload["cause"])
        self.payload = payload
