# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quality512x4: what a quantization costs, four chunks of 512 tokens of a text at a time, against a reference file."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity.kind import Predicted


class Quality(Predicted):
    """Random weights predict nothing, so that they have no quality to lose."""

    name = "quality"
    headlines = ("ppl_ratio",)
    lower_is_better = headlines
    metrics = (
        "ppl", "ppl_base", "ppl_ratio", "kld_mean", "kld_median", "kld_p99", "top1_percent", "p_change_rms_percent",
    )  # fmt: skip
    forms = "quality<context>x<chunks> for perplexity and divergence from a reference"
    examples = ("quality512x4",)
    real_weights = True
    needs = ("reference", "text")


KIND = Quality()
