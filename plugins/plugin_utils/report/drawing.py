# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Vega-Lite specifications to SVG, by vl-convert in processes of its own.

Of its own, because its JavaScript engine has threads that Ansible's forks would not survive, and because several draw
at once then. The same specification gives the same bytes under one version of vl-convert, which requirements.txt pins.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import Tell, watched

# Part of every digest: another version draws other bytes. test_figures.py holds it against what is installed.
DRAWN_WITH = "vl-convert-python 1.9.0.post1"
# Starting an engine costs as much as some twenty figures.
PER_PROCESS = 20
# So many at most for one, after which it is said how far drawing is.
MOST_PER_PROCESS = 200
PROCESSES = 8
TIMEOUT_S = 900

# Paper, ink and lines as GitHub has them in its two themes.
THEMES = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "quiet": "#59636e", "lines": "#d1d9e0"},
    "dark": {"paper": "#0d1117", "ink": "#f0f6fc", "quiet": "#9198a1", "lines": "#3d444d"},
}
# vl-convert brings this one along, so that text is measured alike everywhere; the others are of the same widths.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


class DrawingError(ValueError):
    """Figures that cannot be drawn; the message names the cause and the remedy."""


def themed(spec: dict[str, Any], theme: str) -> dict[str, Any]:
    """Return a specification in the colours of a theme, light or dark."""
    paper, ink, quiet, lines = (THEMES[theme][name] for name in ("paper", "ink", "quiet", "lines"))
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "usermeta": {"drawnWith": DRAWN_WITH},
        "background": paper,
        # A reader without any of these fonts sees wider letters than those that the drawing was laid out with.
        "padding": {"left": 28, "top": 8, "right": 12, "bottom": 8},
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": {**text, "gridColor": lines, "domainColor": quiet, "tickColor": quiet},
            "legend": text,
            "title": {
                "color": ink,
                "subtitleColor": quiet,
                "anchor": "start",
                "fontSize": 14,
                "subtitleFontSize": 11,
                "offset": 12,
            },
            "text": {"color": ink},
            "rule": {"color": ink},
            "tick": {"color": ink},
        },
        **spec,
    }


def digest(spec: dict[str, Any]) -> str:
    """Return what stands for the content of a drawing: whoever has one of the same digest need not draw it again."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]


def bundle() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed as vl-convert brings it along: it sets window.vegaEmbed.

    Raises DrawingError when vl-convert is missing.
    """
    return str(_in_process(None))


def draw(specs: Sequence[dict[str, Any]], tell: Tell | None = None) -> list[str]:
    """Return the SVG of each specification, in their order; `tell` hears how far it is where that takes long.

    Raises DrawingError when vl-convert is missing or fails.
    """
    if not specs:
        return []
    count = min(PROCESSES, os.cpu_count() or 1, -(-len(specs) // PER_PROCESS))
    size = min(MOST_PER_PROCESS, -(-len(specs) // count))
    parts = [specs[at : at + size] for at in range(0, len(specs), size)]
    with ThreadPoolExecutor(count) as pool:
        drawn = list(watched(pool.map(_in_process, parts), len(parts), f"drawing, lots of {size}", tell))
    return [svg for part in drawn for svg in part]


def _in_process(asked: Sequence[dict[str, Any]] | None) -> Any:
    """Return what drawing_process.py answers."""
    command = [sys.executable, "-I", str(Path(__file__).with_name("drawing_process.py"))]
    try:
        done = subprocess.run(
            command, input=json.dumps(asked).encode(), capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DrawingError(f"the figures could not be drawn: {error}; the pages are written without them") from error
    if done.returncode == 0:
        return json.loads(done.stdout)
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if any("No module named 'vl_convert'" in line for line in said):
        raise DrawingError(
            f"the figures are drawn by vl-convert, which {sys.executable} does not have: "
            f"{sys.executable} -m pip install {DRAWN_WITH.replace(' ', '==')}, then report again; the pages are written"
        )
    last = said[-1] if said else f"exit status {done.returncode}"
    raise DrawingError(f"vl-convert could not draw: {last:.300}; the pages are written without these figures")
