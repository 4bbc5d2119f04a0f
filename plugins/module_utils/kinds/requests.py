# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reckoned of a request to a server, as a record keeps it."""

from __future__ import annotations

from typing import Any, Dict, Optional


def tpot(request: Dict[str, Any]) -> Optional[float]:
    """Return the mean time between the tokens of a request in s: (e2e - ttft) / (n - 1); None for a single token."""
    n = request["n_gen"]
    return (request["e2e_s"] - request["ttft_s"]) / (n - 1) if n > 1 else None
