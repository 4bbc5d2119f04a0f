# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""agree128x2: whether a build and its settings predict what the first build predicts with the same file, unrepacked."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity.kind import Predicted


class Agree(Predicted):
    """A kernel that is fast and wrong shows at once: with the same file a right one differs by rounding alone."""

    name = "agree"
    headlines = ("agree_ppl_ratio",)
    lower_is_better = headlines
    metrics = (
        "agree_ppl", "agree_ppl_base", "agree_ppl_ratio", "agree_kld_mean", "agree_kld_median", "agree_kld_p99",
        "agree_top1_percent", "agree_p_change_rms_percent",
    )  # fmt: skip
    forms = "agree<context>x<chunks> for divergence from the first build with the same file"
    examples = ("agree128x2",)
    prefix = "agree_"
    needs = ("text",)
    names_tensors = True


KIND = Agree()
