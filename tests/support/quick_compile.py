# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What llama.cpp is compiled with where nothing is learned of speed: quick_compile.json, which the scenarios read too.

It halves what compiling takes. Instructions are counted, so what the compiler vectorises is left on. With
CLOUDBENCH_THOROUGH=1, as every night, llama.cpp is compiled as for people.
"""

from __future__ import annotations

import json
from pathlib import Path

from support import rotation


def options() -> dict[str, str]:
    """The value of llama_cpp_cmake_options for tests."""
    if rotation.everything():
        return {}
    known: dict[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return known
