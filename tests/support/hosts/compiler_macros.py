# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compiler makes of the flags of the catalog, by the macros it defines.

For the scenarios: where these run, the roles have installed the compilers.
"""

from __future__ import annotations

import re
import subprocess

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors

_OPTION_FLAGS = {
    "AVX512": ["-mavx512f", "-mavx512cd", "-mavx512vl", "-mavx512dq", "-mavx512bw"], "AVX512_VBMI": ["-mavx512vbmi"],
    "AVX512_VNNI": ["-mavx512vnni"], "AVX512_BF16": ["-mavx512bf16"], "AVX_VNNI": ["-mavxvnni"],
    "AMX_TILE": ["-mamx-tile"], "AMX_INT8": ["-mamx-int8"], "AMX_BF16": ["-mamx-bf16"],
}  # fmt: skip


def layout(command: list[str], sve_bytes: int | None) -> str | None:
    """Return the layout of Q4_0 for which a gcc with these flags compiles llama.cpp, None when for none.

    By the macros that llama.cpp 0c1e57098 looks at (ggml-cpu.c, repack.cpp, amx/amx.cpp). Which of the first two
    layouts of SVE it is depends on the vector length of the processor.
    """
    done = subprocess.run([*command, "-dM", "-E", "-x", "c", "/dev/null"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    macros = set(re.findall(r"#define (\w+)", done.stdout))
    if {"__AMX_INT8__", "__AVX512VNNI__"} <= macros:
        return "amx"
    if "__AVX2__" in macros:
        return "q4_0_8x8"
    if {"__ARM_FEATURE_SVE", "__ARM_FEATURE_MATMUL_INT8"} <= macros and sve_bytes == 32:
        return "q4_0_8x8"
    if "__ARM_FEATURE_MATMUL_INT8" in macros:
        return "q4_0_4x8"
    return "q4_0_4x4" if "__ARM_FEATURE_DOTPROD" in macros else None


def check(core: str, gcc: str) -> None:
    """Assert that `gcc` makes of the catalog's flags for a core the layout that the catalog promises."""
    version = subprocess.run([gcc, "-dumpversion"], capture_output=True, text=True, check=True).stdout
    chosen = processors.flags(core, "gcc", int(version.split(".")[0]))
    sve_bytes = 32 if processors.core(core).vector.startswith("SVE, 256") else 16
    assert layout([gcc, f"-march={chosen.march}"], sve_bytes) == chosen.layout
    if chosen.options:
        on = [flag for option, flags in _OPTION_FLAGS.items() if chosen.options[f"GGML_{option}"] for flag in flags]
        avx2 = ["-mavx2"] if chosen.options["GGML_AVX2"] else []
        assert layout([gcc, *avx2, *on], None) == chosen.layout
