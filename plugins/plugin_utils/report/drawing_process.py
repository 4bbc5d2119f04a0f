# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that draws, started by drawing.py: a JSON list of Vega-Lite specifications in, one of SVG out.

Where null is asked for, it answers with the JavaScript that draws in a browser.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Draw what standard input asks for."""
    import vl_convert

    asked = json.load(sys.stdin)
    if asked is None:
        # Without code of ours in it: the libraries whole. The stub of vl-convert names text alone.
        code: Any = None
        json.dump(vl_convert.javascript_bundle(code), sys.stdout)
    else:
        json.dump([vl_convert.vegalite_to_svg(spec) for spec in asked], sys.stdout)


if __name__ == "__main__":
    main()
