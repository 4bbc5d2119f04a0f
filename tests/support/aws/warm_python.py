# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The warm Python of plugin_utils/ec2, one for hundreds of tasks and playbooks, and for more than modules of AWS.

    with WarmPython() as interpreter: ansible-playbook -e ansible_python_interpreter=<interpreter>
    with WarmPython(CONTROLLER) as interpreter: <interpreter> .venv/bin/ansible-playbook

For the controller, Ansible is loaded too, with the settings of the server's environment, and a module is packed once
for all playbooks. For modules that are run from the checkout, without a task, what Ansible gives to a module is loaded.
Who is to be interrupted as by Ctrl-C wants a Python of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

# What a Python may be for.
MODULES, CONTROLLER, CHECKOUT = "modules", "controller", "checkout"
# The services whose models are kept; any other is loaded when it is asked for.
SERVICES = {
    CONTROLLER: ("ec2", "iam", "pricing", "scheduler", "service-quotas", "sts"),
    CHECKOUT: ("ec2", "scheduler"),
}
PROGRAM = Path(__file__).resolve().parents[3] / "plugins" / "plugin_utils" / "ec2" / "warm_python.py"


def program() -> ModuleType:
    """The product's program by its path: in the server nothing may be known of collections, which a task brings."""
    spec = importlib.util.spec_from_file_location("warm_python_of_the_collection", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class WarmPython:
    """The server in a process of its own, as a context manager that gives the path of the interpreter.

    `purpose` is MODULES, CONTROLLER or CHECKOUT; `environment` is that of the server, by default this process's.
    """

    def __init__(self, purpose: str = MODULES, environment: dict[str, str] | None = None) -> None:
        self._purpose, self._environment = purpose, environment

    def __enter__(self) -> str:
        ended, self._end = os.pipe()
        try:
            interpreter: str = program().serve_until(ended, [__file__, self._purpose], self._environment)
        finally:
            os.close(ended)
        self._directory = Path(interpreter).parent
        return interpreter

    def __exit__(self, *_error: object) -> None:
        os.close(self._end)
        until = time.monotonic() + 10
        while self._directory.exists() and time.monotonic() < until:
            time.sleep(0.05)


def keep_plugins(product: ModuleType, directory: Path) -> None:
    """Keep what Ansible's loader of collections compiles anew in each process, as the product does for modules."""
    from ansible.utils.collection_loader import _collection_finder

    loader = _collection_finder._AnsibleCollectionPkgLoaderBase
    compiled_by_ansible = loader.get_code

    def get_code(self: Any, fullname: str) -> Any:
        source = self.get_source(fullname)
        if not source:
            return compiled_by_ansible(self, fullname)
        # Code knows the path that it is of.
        key = self.get_filename(fullname).encode() + b"\n" + source
        return product.kept(directory, key, lambda: compiled_by_ansible(self, fullname))

    loader.get_code = get_code


def load(product: ModuleType, purpose: str, compiled: Path) -> None:
    """Load what every program of this purpose loads."""
    if purpose == MODULES:
        product.load(compiled)
        return
    product.share_models(SERVICES[purpose])
    if purpose == CONTROLLER:
        importlib.import_module("ansible.cli.playbook")
        importlib.import_module("ansible.executor.module_common")
        keep_plugins(product, compiled)
    if purpose == CHECKOUT:
        importlib.import_module("ansible.module_utils.basic")
        importlib.import_module("ansible.module_utils.urls")


if __name__ == "__main__":
    PRODUCT = program()
    PRODUCT.main(lambda compiled: load(PRODUCT, sys.argv[1], compiled))
