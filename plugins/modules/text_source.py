#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: text_source
short_description: Understand which text is asked for
version_added: 0.1.0
description:
  - Says where a text comes from and under which name it lies on a host, or fails with what is wrong with the entry.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  entry:
    description: The name of a text that is known, or a mapping with C(name), C(sha256) and C(path) or C(url).
    type: raw
    required: true
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  action:
    description: Runs on the controller and does not connect to the host.
    support: full
"""

EXAMPLES = r"""
- name: Understand which text is asked for
  cloudbench.llama.text_source:
    entry: alice29
"""

RETURN = r"""
name:
  description: The name of the text in cells and records; one of a person's own ends with the head of its digest.
  returned: success
  type: str
  sample: alice29
packaged:
  description: Whether M(cloudbench.llama.packaged_file) has it.
  returned: success
  type: bool
  sample: true
web:
  description: Whether it is to be downloaded.
  returned: success
  type: bool
  sample: false
origin:
  description: Its address, or its path on the host; empty where it is packaged.
  returned: success
  type: str
  sample: ""
sha256:
  description: The digest that it must have.
  returned: success
  type: str
  sample: 7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0
path:
  description: Where it goes to on the host.
  returned: success
  type: str
  sample: ~/.cache/cloudbench/texts/alice29.txt
"""
