# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cell needs of memory, and the arithmetic that is told where there is too little."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import memory as memory_need
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job


def job(test: str, name: str = "llama-3.1-8b-synthetic", size: int | None = 4_652_990_000) -> Job:
    cell = {"model": name, "quantization": "Q4_0", "build": "default", "threads": 2, **registry.parse_test(test)}
    return Job(cell, "bin", "m.gguf", {"id": "b"}, {"id": "m", "name": name, "bytes": size})


@pytest.mark.parametrize(
    ("test", "tokens"),
    [("pp512", 512), ("tg128", 256), ("tg128@d4096", 4352), ("serve128+64@c1", 4 * 256), ("batch512+1@c8", 8 * 768),
     ("load", 256)],
)  # fmt: skip
def test_the_context_is_that_of_all_sequences(test, tokens):
    assert (
        memory_need.context_of(job(test).cell, registry.kind_of(job(test).cell).sequences(job(test).cell, 4)) == tokens
    )


def test_the_parts_of_a_need():
    need = memory_need.of_job(job("pp8192"), 1)
    # 131,072 B for each token of context: facts of the shape of Llama 3 8B.
    assert need.kv == 8192 * 131072
    assert need.weights == 4_652_990_000
    assert need.total == need.weights + need.kv + need.compute
    assert memory_need.of_job(job("pp512", "somebody-elses"), 1).kv == 0
    assert memory_need.of_job(job("pp512", "llama-3.1-8b"), 1).kv == 512 * 131072
    assert memory_need.of_job(job("pp512", size=None), 1) is None


def test_keys_and_values_of_a_variant_take_what_their_types_take():
    one = job("pp8192")
    one.cell["variant"] = "ubatch=256+ctk=q8_0+ctv=q4_0"
    need = memory_need.of_job(one, 1)
    # Of 32 numbers q8_0 takes 34 bytes and q4_0 18, where two f16 take 128.
    assert need.kv == 8192 * 131072 * (34 + 18) // 128
    assert need.compute == memory_need.of_job(job("pp8192"), 1).compute // 2


def test_what_does_not_fit_is_refused_with_the_arithmetic():
    need = memory_need.of_job(job("pp8192"), 1)
    cause, advice = memory_need.refusal(need, 4 << 30)
    for words in ("about 5.58 GiB", "4.33 GiB of weights", "1.00 GiB of keys and values for 8192 tokens", "4.00 GiB"):
        assert words in cause
    assert "smaller model" in advice
    assert memory_need.refusal(need, 8 << 30) is None
    assert memory_need.refusal(need, None) is None
