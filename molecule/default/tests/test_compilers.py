# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog of processors against the compiler that the role has installed."""

from __future__ import annotations

import os
import platform
import subprocess

import pytest
from support.hosts import compiler_macros

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import build
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors

testinfra_hosts = ["ansible://localhost"]

OWN = [name for name in processors.names() if processors.core(name).architecture == platform.machine()]


@pytest.mark.parametrize("name", OWN)
def test_the_flags_of_each_core_make_what_the_catalog_says(name):
    compiler_macros.check(name, "gcc")


def test_the_compiler_takes_what_it_said_for_native():
    compiler = build.toolchain()["paths"]["C++ compiler"]
    march = build.native_march(compiler)
    assert march
    assert march != "native"
    options = ["-march=" + march, "-mcpu=" + march]
    done = [subprocess.run([compiler, o, "-x", "c++", "-fsyntax-only", os.devnull], check=False) for o in options]
    assert 0 in [one.returncode for one in done]
