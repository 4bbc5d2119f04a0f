# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity on a copy of this checkout, for the Python that runs this file.

ansible-test accepts a collection only under ansible_collections/<namespace>/<name> and refuses links, hence the copy.
It installs pinned linters of its own from the package index; that is all it needs from the network.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
NOT_APPLICABLE = "No tests applicable."  # ansible-test's words for: the collection has no file of this test's kind
GET_PIP = "import ensurepip\nensurepip.bootstrap(default_pip=True)\n"


class Results(NamedTuple):
    """Names of the sanity tests by outcome; skipped maps to the reason."""

    passed: list[str]
    failed: list[str]
    not_applicable: list[str]
    skipped: dict[str, str]


def checkout_files(root: Path) -> list[Path]:
    """The files git tracks or would add, relative to root, without deleted ones and the link to the checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    names = sorted({Path(name) for name in output.split("\0") if name})
    return [name for name in names if name.parts[0] != "collections" and os.path.lexists(root / name)]


def copy_checkout(root: Path, target: Path) -> None:
    """Copy the checkout into target as a git repository of its own, which is how ansible-test finds its files."""
    for name in checkout_files(root):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name, follow_symlinks=False)
    for command in (["git", "init", "--quiet"], ["git", "add", "--all"]):
        subprocess.run(command, cwd=target, check=True)


def prepare_home(home: Path) -> None:
    """Make a home folder in which ansible-test bootstraps pip without a download and finds the caller's pip settings.

    ansible-test hands HOME and PATH to pip but no PIP_* variable, so these become a settings file. pip reads
    ~/.pip/pip.conf first and ~/.config/pip/pip.conf over it: here the caller's file, then the caller's variables.
    """
    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("ansible_test is not installed beside this Python; run this through make sanity")
    source = Path(spec.submodule_search_locations[0], "_internal", "python_requirements.py").read_text("utf-8")
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True)
    for version in re.findall(r"pip='([\d.]+)'", source):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP, "utf-8")

    real = Path.home()
    settings = Path(os.environ.get("PIP_CONFIG_FILE", real / ".config" / "pip" / "pip.conf"))
    if settings.is_file():
        (home / ".pip").mkdir()
        (home / ".pip" / "pip.conf").symlink_to(settings)
    values = {"quiet": "1", "cache-dir": os.environ.get("XDG_CACHE_HOME", str(real / ".cache")) + "/pip"}
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            values[name[4:].lower().replace("_", "-")] = value
    lines = [f"{name} = {value}\n" for name, value in sorted(values.items())]
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[global]\n" + "".join(lines), "utf-8")


def read_results(folder: Path) -> Results:
    """Sort the JUnit files of one ansible-test run, one test each, by outcome."""
    results = Results([], [], [], {})
    for path in sorted(folder.glob("*.xml")):
        for case in ET.parse(path).getroot().iter("testcase"):
            name = case.get("name", path.stem)
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                results.failed.append(name)
            elif skipped is None:
                results.passed.append(name)
            else:
                reason = (skipped.text or skipped.get("message") or "").strip()
                if reason == NOT_APPLICABLE:
                    results.not_applicable.append(name)
                else:
                    results.skipped[name] = reason
    return results


def offer_collection(collections: Path, namespace: str, name: str) -> None:
    """Put an installed collection beside the copy: what modules import and document by is looked for there alone."""
    found = importlib.util.find_spec(f"ansible_collections.{namespace}.{name}")
    if found is None or not found.submodule_search_locations:
        sys.exit(f"the collection {namespace}.{name} is not installed: make test installs it")
    (collections / namespace).mkdir()
    shutil.copytree(found.submodule_search_locations[0], collections / namespace / name)


def main() -> int:
    """Return 0 if every applicable sanity test ran and passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--junit", type=Path, metavar="FOLDER", help="keep the JUnit files of the tests here")
    parser.add_argument("--test", action="append", metavar="NAME", default=[], help="only this test, or several")
    options = parser.parse_args()

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory(prefix="sanity-") as temporary:
        copy = Path(temporary, "ansible_collections", "cloudbench", "llama")
        home = Path(temporary, "home")
        copy.mkdir(parents=True)
        copy_checkout(ROOT, copy)
        offer_collection(copy.parent.parent, "amazon", "aws")
        prepare_home(home)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        status = subprocess.run(
            [
                *("ansible-test", "sanity", "--python", version, "--requirements", "--junit", "--color", "no"),
                *(f"--test={name}" for name in options.test),
            ],
            cwd=copy,
            env={**os.environ, "HOME": str(home), "PATH": path, "LC_ALL": "C.UTF-8"},
            check=False,
        ).returncode
        reports = copy / "tests" / "output" / "junit"
        results = read_results(reports)
        if options.junit and reports.is_dir():
            shutil.copytree(reports, options.junit, dirs_exist_ok=True)

    print(f"sanity tests that passed ({len(results.passed)}): {', '.join(results.passed)}")
    print(f"sanity tests that failed ({len(results.failed)}): {', '.join(results.failed) or 'none'}")
    print(f"without a file to look at ({len(results.not_applicable)}): {', '.join(results.not_applicable) or 'none'}")
    for name, reason in results.skipped.items():
        print(f"SKIPPED {name}: {reason}")
    return 1 if status or results.failed or results.skipped or not results.passed else 0


if __name__ == "__main__":
    sys.exit(main())
