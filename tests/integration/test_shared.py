# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records to a bucket and back by the commands, against the API server: playbook, role, action and core in one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from support.aws.server import AwsServer

ROOT = Path(__file__).resolve().parents[2]
PLACE = "s3://ours/llama"
SECRET = "a-secret-that-nobody-may-see"


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with AwsServer() as running:
        yield running


@pytest.fixture
def s3(server: AwsServer) -> Any:
    server.reset()
    client = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.create_bucket(Bucket="ours")
    return client


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results directory with the records of one real run."""
    lines = (ROOT / "tests" / "fixtures" / "records" / "schema-2.jsonl").read_text("utf-8")
    lines = lines.replace('"INVALID"', '"VALID"')
    first = json.loads(lines.splitlines()[0])
    path = tmp_path / "results" / first["machine"] / "records" / f"{first['run']}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(lines)
    return tmp_path / "results"


def play(server: AwsServer, results: Path, name: str, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= server.environment | {"AWS_SECRET_ACCESS_KEY": SECRET}
    environment |= {"CLOUDBENCH_RESULTS_DIR": str(results), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    command = [shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) or "ansible-playbook"]
    command += [f"playbooks/{name}.yml", "-e", json.dumps({"bench_report_share": PLACE, **variables}), *more]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done


def journals(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("*/records/*.jsonl")}


def said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stdout.split())


def test_what_one_controller_shares_another_fetches(server: AwsServer, s3: Any, results: Path, tmp_path: Path) -> None:
    would = play(server, results, "share", "--check")
    assert "changed=1" in would.stdout, would.stdout + would.stderr
    assert "Contents" not in s3.list_objects_v2(Bucket="ours")
    done = play(server, results, "share", "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(next(iter(journals(results).values())).splitlines())
    assert f"{PLACE}: 1 object of {count} records new, 0 already there" in said(done)
    again = play(server, results, "share")
    assert "changed=0" in again.stdout
    theirs = tmp_path / "theirs"
    fetched = play(server, theirs, "fetch")
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    assert journals(theirs) == journals(results)
    assert (theirs / "README.md").is_file()
    assert "changed=0" in play(server, theirs, "fetch").stdout
    machine = next(iter(journals(results))).partition("/")[0]
    shared = play(server, results, "shared", bench_report_share_machine=machine)
    assert shared.returncode == 0, shared.stdout + shared.stderr
    assert f"{PLACE}: {count} records in 1 object" in shared.stdout
    assert "tg_tps" in shared.stdout
    assert {record["action"] for record in server.requests() if record["write"]} == {"CreateBucket", "PutObject"}


def test_what_is_refused_is_named_and_the_rest_kept(server: AwsServer, s3: Any, results: Path, tmp_path: Path) -> None:
    assert play(server, results, "share").returncode == 0
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="ours")["Contents"]]
    good = next(key for key in keys if key.startswith("llama/records/"))
    bad = good.replace("/month=", "-other/month=")
    s3.copy_object(Bucket="ours", Key=bad, CopySource={"Bucket": "ours", "Key": good})
    fetched = play(server, tmp_path / "theirs", "fetch")
    assert fetched.returncode == 2
    assert "Nothing of these objects was kept." in said(fetched)
    assert f"{bad.removeprefix('llama/')}: line 1: it belongs to machine" in said(fetched)
    assert journals(tmp_path / "theirs") == journals(results)
    assert (tmp_path / "theirs" / "README.md").is_file()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"bench_report_share": "s3://no-such-bucket/x"}, "there is no bucket no-such-bucket: correct its name"),
        ({"bench_report_share": "ours"}, "'ours' is no place in S3: write s3://BUCKET"),
        ({"bench_report_share": ""}, "no bucket is named: write BUCKET=s3://BUCKET/PREFIX, or set bench_report_share"),
    ],
)
def test_what_cannot_be_is_told(
    server: AwsServer, s3: Any, results: Path, variables: dict[str, str], message: str
) -> None:
    done = play(server, results, "share", **variables)
    assert done.returncode == 2
    assert message in said(done)


def test_a_run_that_has_a_place_shares_even_where_the_report_fails() -> None:
    """And is torn down even where that fails."""
    *_plays, last = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text("utf-8"))
    (whole,) = last["tasks"]
    (reported,) = whole["block"]
    (shared,) = reported["always"]
    assert shared["ansible.builtin.import_role"]["tasks_from"] == "share"
    assert shared["when"] == "bench_report_share | length > 0"
    torn_down = [task["ansible.builtin.import_role"]["tasks_from"] for task in whole["always"]]
    assert torn_down[0] == "teardown"
