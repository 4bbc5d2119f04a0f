# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/security.md names tests and files that there are, and settings that make things unsafe are nowhere."""

from __future__ import annotations

import ast
import configparser
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sanity import checkout_files

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in DOCUMENT.partition("## The promises")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ")
][1:]


@functools.cache
def named_in(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    nodes = ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def test_there_are_promises() -> None:
    assert len(ROWS) > 20
    assert all(len(row) == 3 and all(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_a_promise_names_files_and_tests_that_there_are(row: list[str]) -> None:
    _promise, held, shown = row
    named = re.findall(r"`([^`]+::[^`]+)`", shown)
    assert named
    for name in named:
        path, test = name.split("::")
        assert test in named_in(path), name
    files = [word for word in re.findall(r"`([^`]+)`", held) if "/" in word]
    assert all((ROOT / word).exists() for word in files), files


def options(spec: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in (spec.get("argument_specs") or {}).values():
        yield from (entry.get("options") or {}).items()


SPECS = sorted((ROOT / "roles").glob("*/meta/argument_specs.yml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.parts[-3])
def test_options_that_take_secrets_are_shown_nowhere(path: Path) -> None:
    secret = re.compile(r"token|password|secret|headers|credential")
    names = {
        name: entry.get("no_log")
        for name, entry in options(yaml.safe_load(path.read_text("utf-8")))
        if secret.search(name) and entry.get("type", "str") in ("str", "dict") and not name.endswith("token_ms")
    }
    assert {name for name, shown in names.items() if shown is not True} == set()


def test_no_host_key_is_taken_unverified() -> None:
    """Nor a certificate: neither by a setting of ssh or Ansible, nor by an option of a module."""
    unsafe = re.compile(
        r"StrictHostKeyChecking[= ]+(?:no|off|accept-new)|host_key_checking\s*[=:]\s*(?:False|no|0)"
        r"|validate_certs\s*[=:]\s*(?:False|no|0)|verify\s*=\s*False|CERT_NONE|UserKnownHostsFile[= ]+/dev/null"
        r"|record_host_keys\s*=\s*False",
        re.IGNORECASE,
    )
    named = {}
    for name in checkout_files(ROOT):
        path = ROOT / name
        if name.parts[0] in ("inventory", "playbooks", "plugins", "roles") or name.name == "ansible.cfg":
            match = unsafe.search(path.read_text("utf-8", errors="replace"))
            if match:
                named[name.as_posix()] = match.group()
    assert named == {}
    known = yaml.safe_load((ROOT / "inventory/aws/group_vars/aws_ec2.yml").read_text("utf-8"))
    assert "StrictHostKeyChecking=yes" in known["ansible_ssh_common_args"]


def test_instances_are_launched_closed_and_end_by_themselves() -> None:
    tasks = yaml.safe_load((ROOT / "roles/ec2_environment/tasks/try.yml").read_text("utf-8"))

    def values(node: Any, key: str) -> Iterator[Any]:
        if isinstance(node, dict):
            yield from ([node[key]] if key in node else [])
            for part in node.values():
                yield from values(part, key)
        elif isinstance(node, list):
            for part in node:
                yield from values(part, key)

    assert list(values(tasks, "http_tokens")) == ["required"]
    assert list(values(tasks, "encrypted")) == [True]
    assert list(values(tasks, "instance_initiated_shutdown_behavior")) == ["terminate"]
    variables = yaml.safe_load((ROOT / "roles/ec2_environment/vars/main.yml").read_text("utf-8"))
    (rule,) = variables["__ec2_environment_ssh_rules"]
    assert rule["ports"] == [22]
    assert "ssh_source" in variables["__ec2_environment_source"]


def test_the_checkout_lets_no_host_set_variables() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "ansible.cfg")
    assert settings.getboolean("defaults", "inject_facts_as_vars") is False


def modes(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        # A job that is forgotten has another kind of mode.
        files = () if "jid" in node else ("mode", "directory_mode")
        yield from (str(value) for key, value in node.items() if key in files)
        for part in node.values():
            yield from modes(part)
    elif isinstance(node, list):
        for part in node:
            yield from modes(part)


@pytest.mark.parametrize("path", sorted((ROOT / "roles").glob("*/tasks/**/*.yml")), ids=lambda path: path.stem)
def test_what_roles_write_nobody_else_may_change(path: Path) -> None:
    for mode in modes(yaml.safe_load(path.read_text("utf-8"))):
        assert re.fullmatch(r"0[0-7]{3}", mode), f"{mode} in quotes, octal"
        assert not int(mode, 8) & 0o022


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(lines) > 20
    pinned = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9,-]+\])?==[^\s*]+")
    assert [line for line in lines if not pinned.match(line)] == []


def test_what_a_run_needs_is_pinned_by_hash() -> None:
    """Then pip takes nothing without one, and no file of another content."""
    text = (ROOT / "requirements.txt").read_text("utf-8")
    packages = re.split(r"^(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    assert len(packages) > 20
    for package in packages:
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}\b", package), package
