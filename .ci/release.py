# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a tag against the checkout that is to be released under it: its version, and its changelog.

    .venv/bin/python .ci/release.py v1.2.3

Exit code 1 with a line for each thing that is wrong, 0 without.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


def problems(root: Path, tag: str) -> list[str]:
    """What keeps the checkout in `root` from being released under this tag, a sentence each with its remedy."""
    version = str(_read(root / "galaxy.yml").get("version"))
    wrong = []
    if tag != f"v{version}":
        wrong.append(f"the tag is {tag} and galaxy.yml has the version {version}: tag v{version}, or change galaxy.yml")
    if version not in (_read(root / "changelogs" / "changelog.yaml").get("releases") or {}):
        wrong.append(f"changelogs/changelog.yaml has no release {version}: antsibull-changelog release makes it")
    elif fragments := sorted(path.name for path in (root / "changelogs" / "fragments").glob("*.y*ml")):
        wrong.append(
            f"changelogs/fragments still holds {', '.join(fragments)}, which no release mentions: "
            "antsibull-changelog release takes them up"
        )
    return wrong


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content


def main() -> int:
    """Return 0 if the tag may be released."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tag", help="v and the version, such as v1.2.3")
    wrong = problems(ROOT, parser.parse_args().tag)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
