# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/llama_cpp_build.py: find the build of llama.cpp for this host, or declare it finished."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_build
short_description: Find a build of llama.cpp on a host, or check and record a fresh one
description:
  - A build is known by a key made of its source, options, compiler and processor. With the same key nothing needs
    to be built again.
  - With O(state=found) the module looks for a finished build and for the tool chain.
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
  name:
    description: The name of this build among those that are compared.
    type: str
    default: default
  source:
    description: The payload that P(cloudbench.llama.llama_cpp_source#module) returns.
    type: dict
    required: true
  cmake_options:
    description: CMake cache variables and their values.
    type: dict
    default: {}
  targets:
    description: The programs to build.
    type: list
    elements: str
    required: true
  space:
    description: Bytes that source and build need on the disk of O(root) when there is no finished build yet.
    type: int
    default: 0
  state:
    description: Look for a finished build, or check and record a fresh one.
    type: str
    choices: [found, recorded]
    default: found
"""

EXAMPLES = r"""
- name: Find the build
  cloudbench.llama.llama_cpp_build:
    root: ~/.cache/cloudbench/llama.cpp
    source: "{{ source }}"
    cmake_options: {GGML_NATIVE: true}
    targets: [llama-bench, llama-quantize, llama-system-info]
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
privileged:
  description: Whether the host is used as root, so that installing needs no become.
  returned: always
  type: bool
processors:
  description: How many processors may compile.
  returned: always
  type: int
directory:
  description: The directory of the build.
  returned: always
  type: str
source_directory:
  description: Where the source tree belongs.
  returned: always
  type: str
cmake_arguments:
  description: The options as CMake takes them.
  returned: always
  type: list
  elements: str
missing:
  description: What the tool chain lacks.
  returned: always
  type: list
  elements: str
toolchain:
  description: Paths and versions of the tools.
  returned: always
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils import llama_cpp_build as llama_cpp
from ansible_collections.cloudbench.llama.plugins.module_utils.disk import SpaceError, require_space


def _cmake_arguments(options):
    """Return CMake's -D arguments, sorted; truth values as ON and OFF, as llama.cpp's documentation writes them."""
    written = {True: "ON", False: "OFF"}
    return [
        "-D%s=%s" % (name, written[value] if isinstance(value, bool) else value)
        for name, value in sorted(options.items())
    ]


def main():
    module = AnsibleModule(
        argument_spec=dict(
            root=dict(type="path", required=True),
            name=dict(type="str", default="default"),
            source=dict(type="dict", required=True),
            cmake_options=dict(type="dict", default={}),
            targets=dict(type="list", elements="str", required=True),
            space=dict(type="int", default=0),
            state=dict(type="str", choices=["found", "recorded"], default="found"),
        ),
        supports_check_mode=True,
    )
    params = module.params
    arguments = _cmake_arguments(params["cmake_options"])
    tools = llama_cpp.toolchain()
    key = llama_cpp.build_key(params["source"], arguments, params["targets"], tools)
    directory = os.path.join(params["root"], "build-" + key)
    source_key = (params["source"].get("sha256") or params["source"].get("commit") or "unknown")[:12]
    result = dict(
        changed=False,
        root=params["root"],
        privileged=os.geteuid() == 0,
        processors=len(os.sched_getaffinity(0)),
        directory=directory,
        source_directory=os.path.join(params["root"], "source-" + source_key),
        cmake_arguments=arguments,
        missing=tools["missing"],
        toolchain=tools,
    )
    try:
        build = llama_cpp.read_stamp(directory, params["name"], params["targets"])
        if build:
            llama_cpp.run_programs(directory, params["targets"])
        elif params["state"] == "recorded":
            build = llama_cpp.describe(directory, params["name"], params["source"], arguments, params["targets"], tools)
            if not module.check_mode:
                llama_cpp.write_stamp(directory, build)
            result["changed"] = True
        elif not module.check_mode:
            require_space(params["root"], params["space"], "the source and the build of llama.cpp")
    except (llama_cpp.BuildError, SpaceError) as error:
        module.fail_json(msg=str(error), **result)
    except OSError as error:
        module.fail_json(msg="the build in %s cannot be read or recorded: %s" % (directory, error), **result)
    places = dict(name=params["name"], bin=os.path.join(directory, "bin"), vocab=llama_cpp.vocabulary(directory))
    module.exit_json(built=bool(build), build=dict(build or {}, **places), **result)


if __name__ == "__main__":
    main()
