# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of an environment variable as a variable of Ansible: quoted as in a shell, so that a name may hold spaces.

    FILES="'my run.jsonl' b.log" python tools/words.py FILES bench_report_files
    {"bench_report_files": ["my run.jsonl", "b.log"]}

Leaves with 2 where a quotation mark has no other.
"""

from __future__ import annotations

import json
import os
import shlex
import sys


def main(name: str, variable: str) -> int:
    """Print the variable with the words of the environment variable `name`, of one that is not set no words."""
    text = os.environ.get(name, "")
    try:
        words = shlex.split(text)
    except ValueError:
        remedy = """put each such name in the other kind: "it's.log\""""
        print(f"{text}: a quotation mark has no other; {remedy}", file=sys.stderr)
        return 2
    print(json.dumps({variable: words}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
