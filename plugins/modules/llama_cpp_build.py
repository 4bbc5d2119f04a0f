# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/llamacpp/build.py: find the build of llama.cpp for this host, or declare it finished."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_build
short_description: Find a build of llama.cpp on a host, or check and record a fresh one
description:
  - A build is known by the key that P(cloudbench.llama.llama_cpp_configuration#module) makes of its source, options,
    compiler and processor. With the same key nothing needs to be built again.
  - With O(state=found) the module looks for a finished build. Where its record lacks the options that its programs
    know, since an earlier version of this collection has made it, they are added to it.
  - With O(state=shipped) it looks which shared libraries the programs of a fresh build lack on this host.
  - With O(state=recorded) it runs every program of a fresh build, compares the processor features they use with those
    the host has, and writes the record that declares the build finished.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Nothing is written.
    support: full
options:
  root:
    description: The directory that holds all builds.
    type: path
    required: true
  key:
    description: The key of the build.
    type: str
    required: true
  name:
    description: The name of this build among those that are compared.
    type: str
    default: default
  targets:
    description: The programs of the build.
    type: list
    elements: str
    required: true
  source:
    description: The payload that P(cloudbench.llama.llama_cpp_source#module) returns. Needed for O(state=recorded).
    type: dict
  configuration:
    description: The C(configuration) that P(cloudbench.llama.llama_cpp_configuration#module) returns. Needed for
      O(state=recorded).
    type: dict
  toolchain:
    description: The C(toolchain) that P(cloudbench.llama.llama_cpp_toolchain#module) returns, of where the build was
      compiled. Needed for O(state=recorded).
    type: dict
  state:
    description: Look for a finished build, for what a shipped one lacks, or check and record a fresh one.
    type: str
    choices: [found, shipped, recorded]
    default: found
"""

EXAMPLES = r"""
- name: Find the build
  cloudbench.llama.llama_cpp_build:
    root: ~/.cache/cloudbench/llama.cpp
    key: f3e4dfb84ddf
    targets: [llama-bench, llama-quantize, llama-system-info, llama-roofline]
"""

RETURN = r"""
built:
  description: Whether a finished build is there.
  returned: always
  type: bool
build:
  description: Name and places of the build and, when it is finished, the payload of its record.
  returned: always
  type: dict
  contains:
    bin:
      description: The directory of the programs.
      type: str
      returned: always
    vocab:
      description: The Llama 3 vocabulary, from which models are generated.
      type: str
      returned: always
root:
  description: O(root), expanded.
  returned: always
  type: str
directory:
  description: The directory of the build.
  returned: always
  type: str
libraries:
  description: The shared libraries that the programs lack, with O(state=shipped).
  returned: always
  type: list
  elements: str
"""

import contextlib
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import build as llama_cpp


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            root=dict(type="path", required=True),
            key=dict(type="str", required=True, no_log=False),
            name=dict(type="str", default="default"),
            targets=dict(type="list", elements="str", required=True),
            source=dict(type="dict"),
            configuration=dict(type="dict"),
            toolchain=dict(type="dict"),
            state=dict(type="str", choices=["found", "shipped", "recorded"], default="found"),
        ),
        required_if=[("state", "recorded", ["source", "configuration", "toolchain"])],
        supports_check_mode=True,
    )
    params = module.params
    name, targets = params["name"], params["targets"]
    directory = os.path.join(params["root"], "build-" + params["key"])
    result = dict(changed=False, root=params["root"], directory=directory, libraries=[])
    try:
        build = llama_cpp.read_stamp(directory, name, targets)
        if build:
            printed = llama_cpp.run_programs(directory, targets, llama_cpp.Made(build.get("core"), build.get("march")))
            known = llama_cpp.with_capabilities(directory, build, printed)
            known = llama_cpp.with_origin(known, params["configuration"])
            if known is not build:
                build = known
                if not module.check_mode:
                    # Somebody else's build may be used where its stamp cannot be written: it is asked again then.
                    with contextlib.suppress(OSError):
                        llama_cpp.write_stamp(directory, build)
                        result["changed"] = True
        elif params["state"] == "shipped":
            result["libraries"] = llama_cpp.missing_libraries(directory, targets)
        elif params["state"] == "recorded":
            build = llama_cpp.describe(
                directory, name, params["source"], params["configuration"], targets, params["toolchain"]
            )
            if not module.check_mode:
                llama_cpp.write_stamp(directory, build)
            result["changed"] = True
    except llama_cpp.BuildError as error:
        module.fail_json(msg=str(error), **result)
    except OSError as error:
        module.fail_json(msg="the build in %s cannot be read or recorded: %s" % (directory, error), **result)
    places = dict(name=name, bin=os.path.join(directory, "bin"), vocab=llama_cpp.vocabulary(directory))
    module.exit_json(built=bool(build), build=dict(build or {}, **places), **result)


if __name__ == "__main__":
    main()
