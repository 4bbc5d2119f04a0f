# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are planted wherever people keep them, and looked for wherever a run leaves or shows anything.

A run with a gated model, a vault and a signed address, at -vvv, from the plan to pages, site and exports; and what an
account of AWS is asked. Meanwhile the command lines of all processes are read, and the environment of what is measured.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.aws.server import AwsServer
from support.models import gguf_files
from support.models.hub_server import HubServer

ROOT = Path(__file__).resolve().parents[2]
ROW = json.loads((ROOT / "tests" / "fixtures" / "llama-bench" / "current.jsonl").read_text("utf-8"))
LOG = ROOT / "tests" / "fixtures" / "llama-bench" / "current.log"

# Each its own, so that what is seen tells which it was.
CANARIES = {
    "hub token, from a vault": "hf_CanaryOfTheVault0000000000000001",
    "hub token of the environment": "hf_CanaryOfTheEnvironment000000002",
    "password of the vault": "canary-password-of-the-vault-0003",
    "header of an address": "canary-header-of-an-address-0004",
    "signature of an address": "canary-signature-of-an-address-0005",
    "access key": "CANARYACCESSKEY00006",
    "secret key": "canary/secret/key/of/aws/0000000000000007",
    "session token": "canary-session-token-of-aws-0008",
    "ssh key": "canary-in-an-ssh-private-key-0009",
    "key of a server": "canary-llama-api-key-0010",
    "password of an unrelated program": "canary-pgpassword-0011",
}

# Prints what the real one printed for the test that is asked for, and keeps what it was given.
BENCH = """#!{python}
import json, os, sys, time
given = dict(zip(sys.argv[1:], sys.argv[2:]))
with open({seen!r}, "a") as log:
    log.write(json.dumps(dict(os.environ)) + "\\n")
time.sleep(0.3)
row = json.loads({row!r})
row.update(n_prompt=int(given["-p"]), n_gen=int(given["-n"]), n_threads=int(given["-t"]))
samples = int(given["-r"])
row.update(samples_ts=(row["samples_ts"] * samples)[:samples], samples_ns=(row["samples_ns"] * samples)[:samples])
sys.stderr.write(open({log!r}).read())
print(json.dumps(row))
"""


def written(secret: str) -> list[bytes]:
    """The forms in which a secret may be written down."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return [form.encode() for form in sorted({secret, quote(secret, safe=""), json.dumps(secret)[1:-1], encoded})]


def seen_in(content: bytes) -> list[str]:
    """The names of the canaries in a content."""
    return [name for name, secret in CANARIES.items() if any(form in content for form in written(secret))]


class Processes:
    """Reads the command lines of all processes again and again until its exit."""

    def __init__(self) -> None:
        self.lines: set[bytes] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.02):
            for name in os.listdir("/proc"):
                if name.isdigit():
                    with contextlib.suppress(OSError):
                        self.lines.add(Path("/proc", name, "cmdline").read_bytes())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with keys where people have them."""
    home = tmp_path / "home"
    for name, text in {
        ".ssh/id_ed25519": CANARIES["ssh key"],
        ".aws/credentials": f"[default]\naws_access_key_id = {CANARIES['access key']}\n"
        f"aws_secret_access_key = {CANARIES['secret key']}\n",
    }.items():
        (home / name).parent.mkdir(parents=True, mode=0o700)
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    return home


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    for name in ("org/gated", "org/denied", "org/open"):
        path = tmp_path / "repositories" / name / "M-Q4_0.gguf"
        path.parent.mkdir(parents=True)
        path.write_bytes(gguf_files.model())
    token = CANARIES["hub token, from a vault"]
    with HubServer(tmp_path / "repositories", token=token, gated=["org/gated"], denied=["org/denied"]) as server:
        yield server


def environment_of(home: Path, tmp_path: Path) -> dict[str, str]:
    foreign = ("ANSIBLE_", "AWS_", "CLOUDBENCH_", "HF_", "LLAMA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return {
        **kept,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "AWS_ACCESS_KEY_ID": CANARIES["access key"],
        "AWS_SECRET_ACCESS_KEY": CANARIES["secret key"],
        "AWS_SESSION_TOKEN": CANARIES["session token"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "CLOUDBENCH_RESULTS_DIR": str(tmp_path / "results"),
        "HF_TOKEN": CANARIES["hub token of the environment"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "LLAMA_API_KEY": CANARIES["key of a server"],
        "PGPASSWORD": CANARIES["password of an unrelated program"],
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_CACHE_HOME": str(home / ".cache"),
    }


def left(*folders: Path) -> dict[str, list[str]]:
    """The canaries in the files that lie in folders, by path; not where they were planted."""
    planted = {".ssh", ".aws", "vault", "repositories"}
    seen = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not planted & {*path.parts}:
                names = seen_in(path.read_bytes() + str(path).encode())
                if names:
                    seen[str(path)] = names
    return seen


def play(home: Path, hub: HubServer, tmp_path: Path) -> list[dict[str, Any]]:
    """The roles from the plan to the pages, then the site and every export."""
    directory = tmp_path / "build"
    directory.mkdir()
    program = directory / "llama-bench"
    program.write_text(
        BENCH.format(
            python=sys.executable, seen=str(tmp_path / "repositories" / "environment"), row=json.dumps(ROW),
            log=str(LOG),
        )
    )  # fmt: skip
    program.chmod(0o755)
    build = {
        "name": "default", "id": "b" * 12, "bin": str(directory), "vocab": "", "file_types": ["Q4_0"], "archive": "",
        "subdirectory": "",
    }  # fmt: skip
    gated = {"repository": "org/gated", "file": "M-Q4_0.gguf"}
    signed = f"{hub.endpoint}/plain/org/absent/M-Q4_0.gguf?Signature={quote(CANARIES['signature of an address'])}"
    models = [
        {"name": "gated", **gated},
        {"name": "denied", **gated, "repository": "org/denied"},
        {"name": "signed", "url": signed, "sha256": "0" * 64},
    ]
    roles = [("llama_bench", "plan"), ("llama_model", "main"), ("llama_bench", "main"), ("bench_report", "main")]
    exports = ["csv", "parquet", "openmetrics", "llama-bench", "bencher", "github-action-benchmark-bigger"]
    results = "{{ lookup('ansible.builtin.env', 'CLOUDBENCH_RESULTS_DIR') }}"
    tasks: list[dict[str, Any]] = [
        {
            "ansible.builtin.import_role": {"name": f"cloudbench.llama.{role}", "tasks_from": part},
            # What could not be had is a failure of the run.
            "ignore_errors": role == "bench_report",
        }
        for role, part in roles
    ]
    tasks.append({"cloudbench.llama.bench_site": {"results_dir": results, "path": str(tmp_path / "site")}})
    tasks += [
        {"cloudbench.llama.bench_export": {"results_dir": results, "format": form, "path": str(tmp_path / form)}}
        for form in exports
    ]
    return [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(tmp_path / "vault" / "vault.yml")],
            "vars": {
                "ansible_python_interpreter": sys.executable,
                "llama_cpp_built": [build],
                "llama_model_dir": str(home / "models"),
                "llama_model_hub_endpoint": hub.endpoint,
                "llama_model_url_retries": 0,
                "llama_model_hub_token": "{{ vaulted_token }}",
                "llama_model_url_headers": {"X-Key": "{{ vaulted_header }}"},
                "llama_model_models": models,
                "llama_model_quantizations": ["Q4_0"],
                "llama_bench_tests": ["pp16", "tg8"],
                "llama_bench_threads": [1],
                "llama_bench_launches": 1,
                "llama_bench_minutes": 0,
                "llama_bench_twin": False,
            },
            "tasks": tasks,
        }
    ]


def vault(tmp_path: Path, environment: dict[str, str]) -> list[str]:
    """Write a vault with secrets, and return the options by which it is opened."""
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "password").write_text(CANARIES["password of the vault"])
    secrets = {
        "vaulted_token": CANARIES["hub token, from a vault"],
        "vaulted_header": CANARIES["header of an address"],
    }
    (folder / "vault.yml").write_text(json.dumps(secrets))
    options = ["--vault-password-file", str(folder / "password")]
    subprocess.run(
        [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", *options, str(folder / "vault.yml")],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return options


def test_no_secret_is_shown_recorded_or_left(home: Path, hub: HubServer, tmp_path: Path) -> None:
    environment = environment_of(home, tmp_path)
    options = vault(tmp_path, environment)
    playbook = tmp_path / "vault" / "play.yml"
    playbook.write_text(json.dumps(play(home, hub, tmp_path)))
    with Processes() as processes:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "-i", "localhost,", *options,
             str(playbook)],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=300, check=False,
        )  # fmt: skip
    output = done.stdout
    assert done.returncode == 0, output.decode()
    assert b"Traceback" not in output

    # They were used, and the run came to its end.
    bearers = {seen.headers.get("authorization") for seen in hub.requests}
    assert f"Bearer {CANARIES['hub token, from a vault']}" in bearers
    assert CANARIES["header of an address"] in {seen.headers.get("x-key") for seen in hub.requests}
    assert [seen for seen in hub.requests if quote(CANARIES["signature of an address"]) in seen.path]
    stored = [path.read_text() for path in (tmp_path / "results").rglob("*.jsonl")]
    kept = [json.loads(line) for text in stored for line in text.splitlines()]
    assert {"launch", "failure", "run", "machine", "model", "end"} <= {record["kind"] for record in kept}
    causes = [record["payload"]["cause"] for record in kept if record["kind"] == "failure"]
    assert [cause for cause in causes if "org/denied is gated" in cause]
    assert (tmp_path / "site" / "index.html").is_file()
    assert (tmp_path / "csv").stat().st_size > 200
    spooled = list((home / ".cache" / "cloudbench" / "spool").glob("*.jsonl"))
    assert len(spooled) == 1

    assert seen_in(output) == []
    assert left(tmp_path) == {}
    # The job of the measurement ran in the background, and has a file of its own while it does.
    assert b"ansible_job_id" in output or b"async" in output
    measured = (tmp_path / "repositories" / "environment").read_text().splitlines()
    assert measured
    assert all(seen_in(line.encode()) == [] for line in measured)
    names = {name for line in measured for name in json.loads(line)}
    assert names <= {"HOME", "LANG", "PATH", "TMPDIR", "LC_ALL", "LC_CTYPE"}
    assert [line for line in processes.lines if b"llama-bench\0" in line], "processes were looked at while it measured"
    assert [line for line in processes.lines if seen_in(line)] == []


def test_what_is_planted_would_be_seen() -> None:
    """In each form that is looked for."""
    for name, secret in CANARIES.items():
        for form in written(secret):
            assert seen_in(b"x" + form + b"y") == [name]


@pytest.mark.parametrize("playbook", ["plan", "sweep", "prices"])
def test_an_account_is_asked_without_a_word_of_its_keys(home: Path, tmp_path: Path, playbook: str) -> None:
    environment = environment_of(home, tmp_path)
    with AwsServer() as server:
        keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        given = {name: value for name, value in server.environment.items() if name not in keys}
        environment |= {**given, "CLOUDBENCH_PRICES": str(tmp_path / "prices.json"), "AWS_REGION": "us-east-1"}
        with Processes() as processes:
            done = subprocess.run(
                [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "-i", "inventory/aws/hosts.yml",
                 f"playbooks/{playbook}.yml"],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=300, check=False,
            )  # fmt: skip
        asked = server.requests()
    assert asked, done.stdout.decode()
    assert b"Traceback" not in done.stdout
    assert seen_in(done.stdout) == []
    assert [line for line in processes.lines if seen_in(line)] == []
    assert left(tmp_path) == {}
