# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy on the machine that tests: there, or installed as root on Debian, or why not."""

from __future__ import annotations

import os
import shutil
import subprocess

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import proxy

# The package begins a service, which no test needs: the machine is left without it running.
_INSTALL = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "--yes", "--no-install-recommends", "haproxy"]


def obstacle() -> str | None:
    """Return why there is no HAProxy, None once there is one."""
    if proxy.program():
        return None
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "no HAProxy on this machine, and without root and apt-get it cannot be installed"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    if subprocess.run(_INSTALL, env=environment, check=False, capture_output=True).returncode:
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(_INSTALL, env=environment, check=True, capture_output=True)
    return proxy.missing()
