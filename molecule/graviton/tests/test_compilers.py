# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog of processors against the cross compiler that the role has installed on the controller."""

from __future__ import annotations

import pytest
from support.hosts import compiler_macros

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors

testinfra_hosts = ["ansible://localhost"]

GCC = "aarch64-linux-gnu-gcc"


@pytest.mark.parametrize("name", [name for name in processors.names() if processors.core(name).part])
def test_the_flags_of_each_core_make_what_the_catalog_says(name):
    compiler_macros.check(name, GCC)


def test_a_trap_is_a_trap():
    """Why the catalog does not write the shorter names."""
    assert compiler_macros.layout([GCC, "-march=armv8.2-a"], None) is None
    assert compiler_macros.layout([GCC, "-march=armv9-a"], 16) == "q4_0_4x4"
