# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of the collection say about each other."""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.utils.version import SemanticVersion
from sanity import checkout_files

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report

ROOT = Path(__file__).resolve().parents[2]
FILES = checkout_files(ROOT)

# Each pattern is written so that it does not match its own line.
PRIVATE = {
    "a home folder": r"/home/(?!admin\b|bench\b|ec2-user\b|runner\b|ubuntu\b)[a-z]",
    "the superuser's home folder": r"/[r]oot/",
    "a package index": r"--(?:extra-)?index[-]url|--find[-]links",
    "a secret": r"\bA[KS]IA[0-9A-Z]{16}\b|-----BEGIN[ ](?:[A-Z]+ )*PRIVATE KEY",
}

# What every machine has; a home folder has its own pattern.
COMMON = {"bin", "dev", "etc", "home", "lib", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var"}


def own_paths(*paths: str | Path) -> str:
    """A pattern of the folders of this machine that these paths lie in, without those that every machine has."""
    folders = [folder for path in map(Path, paths) for folder in (path, *path.parents)]
    own = {str(folder) for folder in folders if not (len(folder.parts) <= 2 and folder.name in COMMON | {""})}
    own -= {str(folder) for folder in map(Path, own) if folder.parts[1:2] == ("usr",) or folder.parent.name == "home"}
    # The slash first: what begins with a letter to look for is searched for ten times as fast.
    within = "|".join(re.escape(folder.removeprefix("/")) for folder in sorted(own))
    return rf"/(?<![\w.~)}}*$-]/)(?:{within})(?![\w.-])" if own else "(?!)"


FIND_LINKS = os.environ.get("PIP_FIND_LINKS", "")
PRIVATE["this machine"] = own_paths(ROOT, sys.base_prefix, *([FIND_LINKS] if FIND_LINKS.startswith("/") else []))


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@functools.cache
def text_files() -> dict[Path, str]:
    found = {}
    for name in FILES:
        path = ROOT / name
        if path.is_file() and b"\0" not in path.read_bytes():
            found[name] = path.read_text("utf-8", errors="replace")
    return found


def test_the_version_is_the_same_everywhere() -> None:
    version = load("galaxy.yml")["version"]
    named = {}
    for name, text in text_files().items():
        if name.parts[0] == "plugins" and name.suffix == ".py":
            for found in re.findall(r"^(?:__version__|(?:COLLECTION_)?VERSION)\s*=\s*[\"'](\d+\.[^\"']+)", text, re.M):
                named[name] = found
    assert {name: found for name, found in named.items() if found != version} == {}

    released = sorted(load("changelogs/changelog.yaml")["releases"], key=SemanticVersion)
    if version not in released:
        assert all(SemanticVersion(old) < SemanticVersion(version) for old in released)
        assert list((ROOT / "changelogs" / "fragments").glob("*.yml")), "an unreleased version has a fragment"
    else:
        assert released[-1] == version


def test_nothing_was_added_in_a_version_to_come() -> None:
    version = SemanticVersion(load("galaxy.yml")["version"])
    later = {}
    for name, text in text_files().items():
        if name.parts[0] in ("plugins", "roles"):
            for found in re.findall(r"^\s*version_added:\s*[\"']?([\d.]+)", text, re.M):
                if SemanticVersion(found) > version:
                    later[name] = found
    assert later == {}


def test_requirements_repeat_the_dependencies() -> None:
    wanted = {entry["name"]: entry["version"] for entry in load("requirements.yml")["collections"]}
    assert wanted == load("galaxy.yml")["dependencies"]


def test_compiled_requirements_hold_what_their_sources_pin() -> None:
    for source in ("requirements.in", "requirements-dev.in"):
        compiled = (ROOT / source).with_suffix(".txt").read_text("utf-8")
        pins = re.findall(r"^([A-Za-z0-9-]+)==([\w.]+)", (ROOT / source).read_text("utf-8"), re.M)
        assert pins
        for name, version in pins:
            assert re.search(rf"^{re.escape(name)}=={re.escape(version)}(?:\s|$)", compiled, re.M | re.I), name
    run = set(re.findall(r"^\S+==\S+", (ROOT / "requirements.txt").read_text("utf-8"), re.M))
    both = set(re.findall(r"^\S+==\S+", (ROOT / "requirements-dev.txt").read_text("utf-8"), re.M))
    assert run - both == set(), "the tests run with other versions than a benchmark"


def test_the_link_leads_to_this_checkout() -> None:
    link = ROOT / "collections" / "ansible_collections" / "cloudbench" / "llama"
    assert link.is_symlink()
    assert link.readlink() == Path("../../..")
    assert link.samefile(ROOT)


def test_this_checkout_is_what_python_imports() -> None:
    from ansible_collections.cloudbench import llama

    assert {Path(entry).resolve() for entry in llama.__path__} == {ROOT}


@pytest.mark.parametrize("kind", PRIVATE)
def test_no_file_names_the_machine_it_was_made_on(kind: str) -> None:
    pattern = re.compile(PRIVATE[kind])
    named = {name: found[0] for name, text in text_files().items() if (found := pattern.search(text))}
    if kind == "the superuser's home folder":
        # Recorded command lines of a host that is measured as root name it, truly and without telling who that was.
        named = {name: found for name, found in named.items() if not name.is_relative_to("tests/fixtures")}
        named = {name: found for name, found in named.items() if not name.is_relative_to("results")}
    assert named == {}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("path: /" + "root/.cache", "the superuser's home folder"),
        ("/home/" + "someone/x", "a home folder"),
        (f"see {ROOT}/README.md", "this machine"),
        ("--index" + "-url https://example.org/simple", "a package index"),
        ("AKIA" + "ABCDEFGHIJKLMNOP", "a secret"),
        ("-----BEGIN " + "OPENSSH PRIVATE KEY-----", "a secret"),
    ],
)
def test_the_patterns_find_what_they_are_for(text: str, kind: str) -> None:
    assert re.search(PRIVATE[kind], text)


def test_the_folders_of_a_machine_are_those_that_others_do_not_have() -> None:
    found = re.compile(own_paths("/home/" + "me/code/llama", "/data/llama", "/usr/local", "/srv/pytest-1"))
    assert found.search("see /data/notes")
    assert found.search("in /home/" + "me/code")
    assert found.search("/srv/pytest-1/x")
    for text in (
        "/usr/local/bin",
        "/srv/other",
        "/home/" + "you",
        "{{ x }}/data",
        "/database",
        "/srv",
        "https://example.org/data-x",
    ):
        assert not found.search(text), text
    assert not re.search(own_paths("/usr"), "/usr/bin")


def test_python_files_carry_licence_and_future_import() -> None:
    missing = []
    for name, text in text_files().items():
        if name.suffix == ".py" and text.strip():
            lines = text.splitlines()
            if "# SPDX-License-Identifier: GPL-3.0-or-later" not in lines[:6]:
                missing.append(f"{name}: licence lines")
            if "from __future__ import annotations" not in lines:
                missing.append(f"{name}: from __future__ import annotations")
    assert missing == []


def test_the_committed_pages_and_figures_are_those_of_the_committed_records() -> None:
    pages, problems = report.render_store(ROOT / "results")
    assert problems == []
    made = [*(ROOT / "results").rglob("*.md"), *(ROOT / "results").glob("*/tuned/*.yml")]
    kept = {path.relative_to(ROOT / "results").as_posix() for path in made}
    assert kept == set(pages)
    assert [path for path, text in pages.items() if (ROOT / "results" / path).read_text("utf-8") != text] == []
    # What our own sentences have in backticks is code, and these records have none of their own.
    assert [path for path, text in pages.items() if "\\`" in text] == []
    drawn = {
        path.relative_to(ROOT / "results").as_posix(): path.read_text("utf-8").split("\n", 1)[0]
        for path in (ROOT / "results").rglob("*.svg")
    }
    assert drawn == {path: first for path, (first, _spec) in report.drawings(pages.figures).items()}
