# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action and its module as ansible-playbook runs them: the host reads, the controller recognises."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import make, with_id
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import recognise
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

ROOT = Path(__file__).resolve().parents[2]
METADATA = {"instance-type": "c7g.16xlarge", "instance-id": "i-0123456789abcdef0", "instance-life-cycle": "spot"}

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - cloudbench.llama.machine_info:
      register: plain
    - cloudbench.llama.machine_info:
        name: my-name
      register: named
      check_mode: true
    - cloudbench.llama.machine_info:
        name: taken-name
      register: taken
    - cloudbench.llama.machine_info:
        emulated: true
      register: emulated
    - cloudbench.llama.machine_info:
        name: My Name
      register: refused
      ignore_errors: true
    - ansible.builtin.copy:
        dest: "{{ playbook_dir }}/found.json"
        mode: "0644"
        content: >-
          {{ {'plain': plain, 'named': named, 'taken': taken, 'emulated': emulated, 'refused': refused} | to_json }}
"""


class Metadata(http.server.BaseHTTPRequestHandler):
    def log_message(self, format, *args):
        pass

    def do_PUT(self):
        self.answer("token")

    def do_GET(self):
        self.answer(METADATA.get(self.path.rpartition("/")[2]))

    def answer(self, text):
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write((text or "").encode())


@pytest.fixture
def endpoint():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_host_reads_and_the_controller_recognises(tmp_path, endpoint):
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {ROOT / 'collections'}\n")
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    # A machine of that name is on record, with other caches and as many processors as none has.
    another = with_id({"name": "taken-name", "caches": {"L1d": 1}, "cpu_count": 123456})
    records.append(tmp_path / "results", [make("machine", "20261123T155523Z-1a2b", "taken-name", another, 1.8e9)])
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "CLOUDBENCH_", "AWS_"))
    }
    playbook = shutil.which("ansible-playbook", path=Path(sys.executable).parent) or "ansible-playbook"
    done = subprocess.run(
        [playbook, "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "play.yml"],
        cwd=tmp_path,
        env={
            **own,
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint,
            "CLOUDBENCH_RESULTS_DIR": str(tmp_path / "results"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))

    plain = found["plain"]["machine"]
    instance = {"type": "c7g.16xlarge", "id": "i-0123456789abcdef0", "zone": None, "image": None, "life_cycle": "spot"}
    assert (plain["name"], plain["instance"]) == ("gv3-c7g-16xlarge", instance)
    assert found["plain"]["changed"] is False

    # What the host cannot know is there, and the id is that of the whole.
    for one in (plain, found["named"]["machine"], found["emulated"]["machine"]):
        assert "processor" in one
        assert one["processor"] == recognise(one)
        assert with_id(one) == one

    assert found["named"]["machine"]["name"] == "my-name"
    assert found["taken"]["machine"]["name"].startswith("taken-name-")
    assert with_id(found["taken"]["machine"]) == found["taken"]["machine"]
    assert "results of this one are kept as taken-name-" in " ".join((done.stdout + done.stderr).split())
    assert found["emulated"]["machine"]["name"].startswith("emulated-")
    assert found["emulated"]["machine"]["instance"] is None
    assert found["refused"]["failed"] is True
    assert "'My Name'" in found["refused"]["msg"]
    assert "my-name" in found["refused"]["msg"]
