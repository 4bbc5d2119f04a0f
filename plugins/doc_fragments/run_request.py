# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `request` of the modules that plan a run: plugin_utils/request/run_request.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Read by ansible-doc."""

    DOCUMENTATION = r"""
options:
  request:
    description:
      - What the run is asked for, as the lookup P(cloudbench.llama.run_request#lookup) makes it of the role variables;
        what is left out is asked for as by default.
    type: dict
    required: true
    suboptions:
      models:
        description: Models, each the name of a preset or a mapping with C(name), as C(llama_model_models) of role
          P(cloudbench.llama.llama_model#role).
        type: list
        elements: raw
        default: [llama-3.2-1b-synthetic]
      quantizations:
        description: Types of the weights by llama.cpp's names, such as V(Q4_0); V(legacy) is the removed type that was
          made for the processor of the machine.
        type: list
        elements: str
        default: [Q4_0]
      builds:
        description: The builds to measure with, names of ready builds or mappings with C(name). A removed file type is
          measured by those that read it, or by the ready build V(legacy), which then joins the plan.
        type: list
        elements: raw
        default: [default]
      threads:
        description: Thread counts; empty means those that the thread ladder of the run finds best.
        type: list
        elements: raw
        default: []
      variants:
        description: Settings of llama.cpp, such as V(fa=off) or V(ubatch=1024+ctk=q8_0), each a further cell of every
          test; V(default) has none. Empty means llama.cpp's own, and on a machine of 16 processors or more V(fa=off)
          beside them for V(pp512) and V(tg128).
        type: list
        elements: raw
        default: []
      tests:
        description: What to measure, the most important first. V(pp512) is a prompt of 512 tokens, V(tg128) a
          generation of 128 tokens, V(tg128@d4096) the same with a context of 4096 tokens that is already filled;
          V(serve128+64@c4) requests of 128 and 64 tokens to a server from 4 users at once, V(serve128+64@r0.5) every 2
          seconds on average; V(batch128+64@c4) 4 sequences at once; V(load) the load times; V(quality512x4) what a
          quantization costs in perplexity and divergence, V(agree128x2) whether a build predicts what the first one
          does, V(greedy64) whether it says the same.
        type: list
        elements: str
        default:
          - pp512
          - tg128
          - load
          - serve128+64@c1
          - tg32,repack=off
          - tg32,load=none
          - serve128+64@c2
          - serve128+64@c4
          - batch128+64@c4
          - pp128
          - pp2048
          - tg128@d2048
          - pp8192
          - tg128@d8192
      launches:
        description: Fresh processes per cell at least, V(1) or more.
        type: int
        default: 6
      launches_most:
        description: Fresh processes per cell at most. A run of less than 6 O(request.launches) never takes more than
          those.
        type: int
        default: 30
      repetitions:
        description: Measurements inside one process, V(1) or more.
        type: int
        default: 2
      minutes:
        description: How long the measurements of a host may take; V(0) is no limit.
        type: float
        default: 60
      slots:
        description: Slots of the server, the most users that are served at once.
        type: int
        default: 4
      requests:
        description: Requests of each user in one launch.
        type: int
        default: 4
      reference:
        description: The quantization that quality is measured against, as O(request.quantizations).
        type: str
        default: F16
      text:
        description: What quality is measured on, the name of a text that is known or a mapping with C(name), C(sha256)
          and C(path) or C(url).
        type: raw
        default: alice29
      quality_limit_percent:
        description: How much more perplexity than that of the reference is little, in percent; the fastest within it is
          chosen.
        type: float
        default: 1
      slo:
        description: What a request to the server has to meet to count as goodput, in seconds.
        type: dict
        default: {ttft_s: 2.0, tpot_s: 0.1}
        suboptions:
          ttft_s:
            description: From the request to its first token.
            type: float
            required: true
          tpot_s:
            description: The mean time between two tokens.
            type: float
            required: true
      twin:
        description: Whether one cell of generation is measured twice, for the noise of the machine.
        type: bool
        default: true
      duets:
        description:
          - Pairs of cells that are measured at the same moment too, each on half of the cores and then on the other.
          - An entry is V(auto), every build and variant of the run against the first of its model and quantization, or
            a mapping with C(a), what C(b) is measured against, C(b), and perhaps C(tests). A side is the names of a
            build, a model, a quantization or of settings (C(flash_attn=0)); what it does not name is the first of the
            run.
        type: list
        elements: raw
        default: [auto]
      environment:
        description: Variables for the programs that are measured, names and texts, beside the little that they get of
          the host's environment. They are recorded, shown and part of what is compared.
        type: dict
        default: {}
      price:
        description:
          - What an hour of the host costs, for a host that is not on the list prices of EC2 or does not pay them.
          - C(usd_hour) in USD and C(date) of the form V(2026-11-27) have to be there; C(market) (V(on-demand),
            V(spot)), C(source) and C(boot_s), the seconds from the order until the host answers, may be.
        type: dict
        default: {}
      seed:
        description: Seed of the order of launches; made from the id of the run when it is not given.
        type: int
"""
