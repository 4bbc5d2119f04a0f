# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as a playbook runs it, on this machine, against a hub on loopback and with a stand-in for llama-quantize."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.models import gguf_files as files
from support.models.hub_server import HubServer

ROOT = Path(__file__).resolve().parents[2]
HELP = ROOT / "tests" / "fixtures" / "llama-quantize"
TOKEN = "hf_known_to_the_hub"
MODEL, F16 = files.model(), files.model(file_type=1)
Q8 = files.model(file_type=7)
DIGEST = hashlib.sha256(MODEL).hexdigest()


class Run(NamedTuple):
    """What the role set and recorded, and all that was shown with -vvv."""

    models: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    changed: int
    output: str


@pytest.fixture
def hub(tmp_path: Path):
    for name, file, content in (
        ("org/open", "M-Q4_0.gguf", MODEL),
        ("org/open", "M-F16.gguf", F16),
        ("org/gated", "M-Q4_0.gguf", MODEL),
        ("meta/Llama", "config.json", b"{}"),
    ):
        path = tmp_path / "repositories" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with HubServer(tmp_path / "repositories", token=TOKEN, gated=["org/gated", "meta/Llama"]) as server:
        yield server


def build(tmp_path: Path, name: str, help_text: str, types: list[str]) -> dict[str, Any]:
    """A build whose llama-quantize says the help of a real one, and writes Q8_0 whatever it is asked for."""
    directory = tmp_path / name
    directory.mkdir()
    (directory / "q8.gguf").write_bytes(Q8)
    program = directory / "llama-quantize"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --help ]; then cat "{HELP / help_text}"; exit 1; fi\ncp "{directory}/q8.gguf" "$2"\n'
    )
    program.chmod(0o755)
    return {"name": name, "bin": str(directory), "vocab": "", "file_types": types, "archive": "", "subdirectory": ""}


@pytest.fixture
def role(hub: HubServer, tmp_path: Path):
    """A function that runs the role with variables, in a process of its own."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [
            {"name": "Obtain", "ansible.builtin.import_role": {"name": "cloudbench.llama.llama_model"}},
            {
                "name": "Keep what it set",
                "ansible.builtin.copy": {
                    "content": "{{ llama_model_files | to_json }}",
                    "dest": str(tmp_path / "set.json"),
                    "mode": "0644",
                },
                "changed_when": False,
                "check_mode": False,
            },
        ],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    builds = [
        build(tmp_path, "legacy", "help-b3826.txt", ["Q4_0", "Q4_0_8_8"]),
        build(tmp_path, "current", "help-0c1e57098.txt", ["Q4_0", "Q8_0"]),
    ]

    def run(*options: str, environment: dict[str, str] | None = None, **variables: Any) -> Run:
        given = {
            "ansible_python_interpreter": sys.executable,
            "llama_cpp_built": builds,
            "llama_model_dir": str(tmp_path / "models"),
            "llama_model_hub_endpoint": hub.endpoint,
            "llama_model_url_retries": 0,
            **variables,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "AWS_"))}
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "-i", "localhost,", *options,
             str(tmp_path / "play.yml"), "-e", json.dumps(given)],
            cwd=ROOT,
            env={**inherited, "CLOUDBENCH_RESULTS_DIR": str(tmp_path / "results"), "LC_ALL": "C.UTF-8",
                 "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible"), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        assert "Traceback" not in output
        failures = []
        for path in sorted((tmp_path / "results").glob("*/records/*.jsonl"), key=os.path.getmtime)[-1:]:
            records = [json.loads(line) for line in path.read_text().splitlines()]
            failures = [record["payload"] for record in records if record["kind"] == "failure"]
        recap = output.rsplit("changed=", 1)[1]
        return Run(json.loads((tmp_path / "set.json").read_text()), failures, int(recap.split()[0]), output)

    return run


def test_each_way_to_a_model(role: Any, hub: HubServer, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(MODEL)
    wanted = {
        "llama_model_models": [
            {"name": "own", "path": str(own)},
            {"name": "hub", "repository": "org/open", "file": "M-{quantization}.gguf"},
            {
                "name": "web",
                "url": f"{hub.endpoint}/plain/org/open/M-Q4_0.gguf?Signature=hunter2",
                "sha256": DIGEST,
            },
            {"name": "gated", "repository": "org/gated", "file": "M-Q4_0.gguf"},
        ],
        "environment": {"HF_TOKEN": TOKEN},
        "llama_model_url_headers": {"X-Key": "hunter3"},
    }
    predicted = role("--check", **wanted)
    assert [model["name"] for model in predicted.models] == ["own"]
    assert predicted.changed == 3

    run = role(**wanted)
    commit = hub.repositories["org/open"].commit
    path = str(tmp_path / "models" / "downloads" / DIGEST / "M-Q4_0.gguf")
    host = hub.endpoint[len("http://") :]
    source = f"{host}/org/open@{commit}/M-Q4_0.gguf"
    found = [(model["name"], model["quantization"], model["path"], model["source"]) for model in run.models]
    # One file, fetched once for three names; the record says where it was fetched from.
    assert [entry[:3] for entry in found] == [
        ("own", "Q4_0", str(own)), ("hub", "Q4_0", path), ("web", "Q4_0", path), ("gated", "Q4_0", path),
    ]  # fmt: skip
    assert [entry[3] for entry in found] == [str(own), source, source, source]
    assert (run.changed, run.failures) == (1, [])
    for shown in (predicted, run):
        assert not [secret for secret in (TOKEN, "hunter2", "hunter3") if secret in shown.output]
    assert {seen.headers.get("authorization") for seen in hub.requests if seen.server == "cdn"} == {None}
    kept = [path.read_text() for path in tmp_path.rglob("*.json*") if path.is_file() and "models" in path.parts]
    assert kept
    assert "hunter" not in "".join(kept)

    again = role(**wanted)
    assert (again.changed, again.models) == (0, run.models)


def test_a_download_shows_how_far_it_is(role: Any, hub: HubServer, tmp_path: Path) -> None:
    content = b"no model" * (2 << 20)
    (tmp_path / "repositories" / "org" / "large").mkdir()
    (tmp_path / "repositories" / "org" / "large" / "M.gguf").write_bytes(content)
    with HubServer(tmp_path / "repositories", faults=["slow"]) as slow:
        url = f"{slow.endpoint}/plain/org/large/M.gguf?Signature=hunter2"
        run = role(llama_model_models=[{"name": "web", "url": url, "sha256": hashlib.sha256(content).hexdigest()}])
    assert re.search(r"localhost: downloading M\.gguf: [0-9.]+\s[KM]iB of 16\.0\sMiB", run.output)
    assert "hunter2" not in run.output
    assert [failure["phase"] for failure in run.failures] == ["model"]
    assert not list((tmp_path / "models").rglob(".watch-*"))


def test_what_cannot_be_had_stops_nothing_else(role: Any) -> None:
    run = role(
        llama_model_models=[
            {"name": "gated", "repository": "org/gated", "file": "M-Q4_0.gguf"},
            {"name": "safetensors", "repository": "meta/Llama", "convert": True},
            {"name": "typo", "repository": "org/open", "fiel": "M-Q4_0.gguf"},
            "llama-3.2-2b",
            {"name": "s3", "s3": "s3://models/x.gguf", "sha256": DIGEST},
            {"name": "hub", "repository": "org/open", "file": "M-Q4_0.gguf"},
        ],
        environment={
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "none",
            "AWS_SHARED_CREDENTIALS_FILE": "none",
        },
    )
    assert [model["name"] for model in run.models] == ["hub"]
    causes = [failure["cause"] for failure in run.failures]
    assert len(causes) == 5
    for cause, words in zip(
        causes,
        (
            "org/gated is gated, and no token was given; accept its licence at",
            "meta/Llama is gated, and no token was given",
            "the model typo has 'fiel', which means nothing",
            "'llama-3.2-2b' is no preset model",
            "s3://models/x.gguf cannot be asked for: Unable to locate credentials",
        ),
        strict=True,
    ):
        assert cause.startswith(words)
    assert {failure["phase"] for failure in run.failures} == {"model"}


def test_the_build_that_knows_the_type_quantizes(role: Any) -> None:
    f16 = {"name": "hub", "repository": "org/open", "file": "M-F16.gguf"}
    run = role(llama_model_models=[f16], llama_model_quantizations=["Q8_0", "Q4_0_8_8", "Q4_K_M"])
    # The stand-ins write Q8_0 only; whom they are is seen in what is said of the others.
    (model,) = run.models
    assert (model["file"], model["source"].rsplit("/", 1)[1]) == ("hub-q8.gguf", "M-F16.gguf, quantized from F16")
    causes = [failure["cause"] for failure in run.failures]
    assert "wrote Q8_0; check the binary" in causes[0]
    assert "/legacy/llama-quantize" in causes[0]
    assert "/legacy/llama-quantize" in causes[1]
