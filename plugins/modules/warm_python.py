# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: warm_python
short_description: Begin a Python that has loaded boto3
description:
  - Most of what a module of C(amazon.aws) takes is Python that loads boto3 and its model of EC2. This begins a process
    on the controller that has them loaded, and returns the path of an interpreter for C(ansible_python_interpreter);
    each module runs in a fork of that process, with the environment, directory and streams of its task. No session, no
    credentials and no connection are shared.
  - The process ends when C(ansible-playbook) does. It listens on a socket in a folder that nobody else can look into.
  - Where it cannot be, which is anywhere but on Linux, under another user, and where no program may be run in the
    folder of temporary files, the interpreter is the one that Ansible itself has, so nothing changes but the time.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
attributes:
  check_mode:
    description: The same as without, for modules run in check mode too.
    support: full
options:
  interpreter:
    description:
      - The Python that is to have boto3 loaded, by default that of Ansible. Any other, which somebody has chosen for a
        reason, is returned as it is.
    type: str
  modules:
    description:
      - Modules that are going to be run, in their order. Ansible packs a module with all that it imports before
        it is first run; these are packed in the background meanwhile.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have boto3 loaded once
  cloudbench.llama.warm_python:
  register: warm

- name: Ask for many things
  amazon.aws.ec2_instance_info:
    region: "{{ item }}"
  loop: [us-east-1, us-west-2, eu-central-1]
  vars:
    ansible_python_interpreter: "{{ warm.interpreter }}"
"""

RETURN = r"""
interpreter:
  description: The path of the interpreter.
  returned: success
  type: str
  sample: /tmp/warm-python-1a2b3c4d/python3
why:
  description: Why it is an ordinary Python; empty where it is not.
  returned: success
  type: str
  sample: ""
"""
