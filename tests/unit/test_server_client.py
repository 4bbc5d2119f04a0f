# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agreement benchmark reckons both sides by one definition."""

from __future__ import annotations

from typing import Any

import pytest
from server_client import as_ours

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.requests import tpot


def of_guidellm(**changes: Any) -> dict[str, Any]:
    """Return a request as guidellm 0.8.1 writes it, without what is not read: 3 tokens, after 0.6, 0.65 and 0.7 s."""
    timings = {"request_start": 100.0, "first_token_iteration": 100.6, "last_token_iteration": 100.7}
    return {
        "info": {"timings": timings},
        "output_tokens": 3,
        "time_to_first_token_ms": 600.0,
        "inter_token_latency_ms": 50.0,
        "time_per_output_token_ms": 700 / 3,
        **changes,
    }


def test_the_time_of_a_token_is_without_the_first_on_both_sides():
    told = as_ours(of_guidellm())
    assert told["ttft_s"] == pytest.approx(0.6)
    assert tpot(told) == pytest.approx(0.05)


@pytest.mark.parametrize("name", ["time_to_first_token_ms", "inter_token_latency_ms"])
def test_a_guidellm_that_means_something_else_is_refused(name):
    with pytest.raises(SystemExit, match=f"guidellm's {name} of 233.3 ms is .* by our definition"):
        as_ours(of_guidellm(**{name: 233.3}))
