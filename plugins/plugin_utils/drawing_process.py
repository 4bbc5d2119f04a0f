# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that draws, started by drawing.py: a JSON list of Vega-Lite specifications in, one of SVG out."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Draw what standard input asks for."""
    import vl_convert

    json.dump([vl_convert.vegalite_to_svg(spec) for spec in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
