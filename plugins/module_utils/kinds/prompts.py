# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts for a server: as long as asked for, and never the same one twice."""

from __future__ import annotations

import random
from typing import Callable, List

# Token ids of prompts: text of the Llama 3 vocabulary, short of its first bytes and its special tokens.
_TOKENS = (1000, 100000)


def prompts(seed: int) -> Callable[[int], List[int]]:
    """Return a function that makes prompts of so many tokens, never the same one twice for a seed."""
    source = random.Random(seed)
    return lambda n_prompt: [source.randrange(*_TOKENS) for _token in range(n_prompt)]
