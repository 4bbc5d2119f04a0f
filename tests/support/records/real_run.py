# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the records of a real run, others made of them, and the text of the page that they give."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages

Record = dict[str, Any]


def of(real: list[Record], kind: str, test: str = "", purpose: str | None = None) -> Record:
    """Return the first record of a kind; of a test, and of its purpose, where one is named."""
    return next(
        one
        for one in real
        if one["kind"] == kind
        and (not test or (one["payload"]["cell"]["test"], one["payload"]["cell"].get("purpose")) == (test, purpose))
    )


def page(every: list[Record]) -> str:
    """Return the text of the page of Q4_0 that records give."""
    return next(text for path, text in pages.render(every).items() if path.endswith("/q4.md"))


def section(text: str, title: str) -> str:
    """Return what is below a heading of a page."""
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def launches(real: list[Record], test: str, speeds: list[float], purpose: str | None = None) -> list[Record]:
    """Return undisturbed launches of a test with these figures, one in each block."""
    made = []
    for number, speed in enumerate(speeds, start=1):
        one = copy.deepcopy(of(real, "launch", test))
        payload = one["payload"]
        if purpose:
            payload["cell"]["purpose"] = purpose
        payload.update(number=number, block=number, validity={"state": "VALID", "reasons": []})
        payload["gates"] = {**payload["gates"], "steal_percent": 0.0, "other_cpu_percent": 0.0}
        payload["metrics"][summary.speed_of(payload["cell"])]["value"] = speed
        made.append(one)
    return made


def without(real: list[Record], *kinds: str) -> list[Record]:
    """Return the records but those of some kinds."""
    return [one for one in real if one["kind"] not in kinds]


def measured_only(real: list[Record], test: str) -> list[Record]:
    """Return the records with the launches of one test alone: the others were planned."""
    return [one for one in real if one["kind"] != "launch" or one["payload"]["cell"]["test"] == test]


def asked_only(real: list[Record], test: str) -> list[Record]:
    """Return the records of a run that was asked for one test alone."""
    kept = copy.deepcopy(measured_only(real, test))
    for one in kept:
        if one["kind"] == "run":
            one["payload"]["cells"] = [cell for cell in one["payload"]["cells"] if cell["test"] == test]
    return kept


def steady(real: list[Record]) -> list[Record]:
    """Return the records of the things measured, to which launches can be added."""
    return without(real, "launch", "bandwidth", "samples")
