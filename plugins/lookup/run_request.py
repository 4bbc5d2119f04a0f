# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/request/run_request.py: what a run is asked for, from the variables of a play."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_request
short_description: What a run is asked for, from the variables of the roles
description:
  - Returns one mapping, the option C(request) of P(cloudbench.llama.bench_plan#module) and of
    P(cloudbench.llama.ec2_plan#module), so that both plan the same.
  - It is read from the variables that roles P(cloudbench.llama.llama_bench#role), P(cloudbench.llama.llama_model#role)
    and P(cloudbench.llama.llama_cpp#role) have for it; one that is not defined, as those of a role that the play does
    not use, is left out, and means the default of its role.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
seealso:
  - module: cloudbench.llama.bench_plan
  - module: cloudbench.llama.ec2_plan
"""

EXAMPLES = r"""
- name: Show what the run is asked for
  ansible.builtin.debug:
    msg: "{{ lookup('cloudbench.llama.run_request') }}"
"""

RETURN = r"""
_raw:
  description: What is asked for, C(llama_bench_tests) as C(tests), C(llama_model_models) as C(models) and so on.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import VARIABLES


class LookupModule(LookupBase):
    """Takes no terms."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        given = variables or {}
        # As a whole, so that what comes to `omit` is left out.
        asked = {field: given[variable.name] for field, variable in VARIABLES.items() if variable.name in given}
        return [self._templar.template(asked)]
