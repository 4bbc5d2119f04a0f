# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/llamacpp/compiling.py: compile what is configured, and say how far it is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_compile
short_description: Compile a configured build of llama.cpp
description:
  - Runs Ninja in a build directory that CMake has configured for it, which takes minutes.
  - The action plugin of the same name runs this module in the background and shows on the controller how many steps
    are done of how many, and how long the rest takes. When the controller is gone, the compiler is ended soon after.
  - Another compilation in the same directory is waited for.
  - Does nothing where the build is finished, which is when P(cloudbench.llama.llama_cpp_build#module) has recorded it.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Nothing is compiled.
    support: full
options:
  directory:
    description: The build directory.
    type: path
    required: true
  targets:
    description: The programs to compile.
    type: list
    elements: str
    required: true
  jobs:
    description: How many compilers run at once.
    type: int
    required: true
  name:
    description: The name of the build, for the words of the progress.
    type: str
    default: default
  watch:
    description: Begin of the paths of the two files by which the action plugin looks at the compilation. Empty means
      that nobody does.
    type: path
    default: ""
  patience:
    description: After so many seconds without a sign of the controller the compiler is ended. 0 means never.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Compile
  cloudbench.llama.llama_cpp_compile:
    directory: ~/.cache/cloudbench/llama.cpp/build-f3e4dfb84ddf
    targets: [llama-bench, llama-quantize, llama-system-info, llama-roofline]
    jobs: 2
"""

RETURN = r"""
steps:
  description: How many steps were done, what was there already not counted.
  returned: when something was compiled
  type: int
wall_s:
  description: How long that took, in seconds.
  returned: when something was compiled
  type: float
cpu_s:
  description: The processor time that it took, in seconds.
  returned: when something was compiled
  type: float
cmd:
  description: The command.
  returned: when it was run
  type: list
  elements: str
rc:
  description: Its exit code, or minus the signal that ended it.
  returned: when it was run
  type: int
stdout:
  description: What it printed, compilers' messages included.
  returned: when it was run
  type: str
stderr:
  description: What it printed on standard error.
  returned: when it was run
  type: str
"""

import os
import signal

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import compiling
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import Watch, WatchError


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            directory=dict(type="path", required=True),
            targets=dict(type="list", elements="str", required=True),
            jobs=dict(type="int", required=True),
            name=dict(type="str", default="default"),
            watch=dict(type="path", default=""),
            patience=dict(type="float", default=0),
        ),
        supports_check_mode=True,
    )
    params = module.params
    directory = params["directory"]
    if params["jobs"] < 1:
        module.fail_json(msg="jobs must be at least 1, not %d" % params["jobs"])
    if os.path.exists(os.path.join(directory, "build.json")):
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=True)
    # fail_json raises SystemExit, which lets the core end the compilers before this process ends.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: module.fail_json(msg="the compiler was ended by SIGTERM"))
    watch = None
    try:
        watch = Watch(params["watch"], params["patience"])
        done = compiling.compile_targets(directory, params["targets"], params["jobs"], watch)
    except (compiling.CompileError, WatchError) as error:
        module.fail_json(msg=str(error))
    except compiling.Abandoned:
        module.fail_json(
            msg="the compiler was ended: the controller gave no sign for %g s; run again, what was compiled is kept"
            % params["patience"]
        )
    except OSError as error:
        module.fail_json(msg="the build in %s cannot be compiled: %s" % (directory, error))
    finally:
        if watch:
            watch.end()
    result = dict(
        cmd=done.argv,
        rc=done.code,
        stdout=done.stdout,
        stderr=done.stderr,
        steps=done.steps,
        wall_s=done.wall_s,
        cpu_s=done.cpu_s,
    )
    if done.code:
        module.fail_json(msg="non-zero return code", changed=True, **result)
    module.exit_json(changed=done.steps > 0, **result)


if __name__ == "__main__":
    main()
