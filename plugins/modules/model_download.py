#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/models/store.py: a model from a web server, an S3 bucket or a Hugging Face hub."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_download
short_description: Download a model file
version_added: 0.1.0
description:
  - Downloads a GGUF file from a web server, an S3 bucket or a Hugging Face hub, unless a file of its digest is in
    O(directory) already.
  - Goes on where an earlier download stopped, tries again where the failure may pass (connections that break, 408,
    429 with what C(Retry-After) asks for, 5xx), checks for free space, and verifies size, SHA-256 and the model before
    the file takes its place, O(directory)/DIGEST/FILE.
  - Needs nothing on the host but Python. Proxies are taken from the environment.
  - With O(s3) the controller signs an address with its own credentials (boto3), and the host downloads from that.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  url:
    description:
      - The address of the file, C(http) or C(https). One that holds a user, a password or a query is handled as a
        secret.
    type: str
  s3:
    description: The object, as C(s3://BUCKET/KEY). C(AWS_ENDPOINT_URL) and the rest of the environment hold.
    type: str
  repository:
    description: The repository on the hub, as C(OWNER/NAME).
    type: str
  file:
    description: The file in the repository.
    type: str
  revision:
    description:
      - A branch, a tag or a commit of the repository. The commit that it means is what is downloaded and recorded.
    type: str
    default: main
  quantization:
    description: Takes the place of C({quantization}) in O(url), O(s3) and O(file).
    type: str
  sha256:
    description: The digest of the file. Needed with O(url) and O(s3); the hub knows it.
    type: str
  bytes:
    description: The size of the file, where it is known.
    type: int
  headers:
    description: HTTP headers for O(url), which are not sent to another server that it redirects to.
    type: dict
  secret_url:
    description: Like O(url), and hidden in all output. For the action's own use.
    type: str
  source:
    description: What messages and records call O(secret_url). For the action's own use.
    type: str
extends_documentation_fragment:
  - cloudbench.llama.models.watched
  - cloudbench.llama.models
  - cloudbench.llama.models.hub
attributes:
  check_mode:
    description: Asks the hub, and downloads nothing.
    support: full
  action:
    description: Signs addresses on the controller.
    support: full
"""

EXAMPLES = r"""
- name: Download a model from the hub
  cloudbench.llama.model_download:
    repository: unsloth/Llama-3.2-1B-Instruct-GGUF
    file: Llama-3.2-1B-Instruct-F16.gguf
    directory: /srv/models/downloads

- name: Download one from a bucket
  cloudbench.llama.model_download:
    s3: s3://my-models/my-finetune-F16.gguf
    sha256: 0d2f2a0a7c7ad4bb0b1d3e8f27f7d0a1c55c1ddf4e0f0f3a2a6d6a4e1b9c8d7e
    directory: /srv/models/downloads
"""

RETURN = r"""
path:
  description: The file on the host. In check mode, C(null) if it would be downloaded.
  returned: success
  type: str
  sample: /srv/models/downloads/0d2f2a0a7c7ad4bb0b1d3e8f27f7d0a1c55c1ddf4e0f0f3a2a6d6a4e1b9c8d7e/my-finetune-F16.gguf
sha256:
  description: Its digest.
  returned: success
  type: str
  sample: 0d2f2a0a7c7ad4bb0b1d3e8f27f7d0a1c55c1ddf4e0f0f3a2a6d6a4e1b9c8d7e
bytes:
  description: Its size, null where that is not known yet.
  returned: success
  type: int
  sample: 2479595168
source:
  description: Where it came from, without any secret; with the commit where it came from a hub.
  returned: success
  type: str
  sample: s3://my-models/my-finetune-F16.gguf
resumed_from:
  description: How many bytes of it an earlier run had downloaded.
  returned: success
  type: int
  sample: 0
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.models.download import Wanted
from ansible_collections.cloudbench.llama.plugins.module_utils.models.hub import Hub
from ansible_collections.cloudbench.llama.plugins.module_utils.models.source import check_digest, for_quantization
from ansible_collections.cloudbench.llama.plugins.module_utils.models.store import Store, Stored
from ansible_collections.cloudbench.llama.plugins.module_utils.models.web import public
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import told


def obtain(params: Dict[str, Any], check: bool) -> Stored:
    """The module's result. Raises ValueError and OSError."""
    store = Store(params["directory"], check, params["timeout"], params["retries"])
    quantization = params["quantization"] or "{quantization}"
    sha256 = check_digest(params["sha256"]) if params["sha256"] else None
    if params["repository"]:
        hub = Hub(params["endpoint"], params["token"], params["timeout"], params["retries"])
        file = for_quantization(params["file"], quantization)
        return store.from_hub(hub, params["repository"], file, params["revision"], sha256, params["architectures"])
    url = for_quantization(params["secret_url"] or params["url"], quantization)
    source = params["source"] or public(url)
    headers = {str(name): str(value) for name, value in (params["headers"] or {}).items()}
    wanted = Wanted(url, source, sha256, None, params["bytes"], headers)
    return store.from_web(wanted, params["architectures"])


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "watch": {"type": "path", "default": ""},
            "patience": {"type": "float", "default": 0},
            "url": {"type": "str"},
            "s3": {"type": "str"},
            "repository": {"type": "str"},
            "file": {"type": "str"},
            "revision": {"type": "str", "default": "main"},
            "endpoint": {"type": "str", "default": "https://huggingface.co"},
            "token": {"type": "str", "no_log": True},
            "quantization": {"type": "str"},
            "sha256": {"type": "str"},
            "bytes": {"type": "int"},
            "headers": {"type": "dict", "no_log": True},
            "directory": {"type": "path", "required": True},
            "architectures": {"type": "list", "elements": "str", "default": ["llama"]},
            "timeout": {"type": "int", "default": 60},
            "retries": {"type": "int", "default": 5},
            "secret_url": {"type": "str", "no_log": True},
            "source": {"type": "str"},
        },
        required_one_of=[("url", "secret_url", "repository", "s3")],
        mutually_exclusive=[("url", "secret_url", "repository", "s3")],
        required_by={"url": "sha256", "secret_url": "sha256", "repository": "file", "bytes": "sha256"},
        supports_check_mode=True,
    )
    if module.params["s3"]:
        module.fail_json(msg="an s3 object is signed for by the action on the controller; run this as a task")
    try:
        with told(module.params["watch"], module.params["patience"]):
            stored = obtain(module.params, module.check_mode)
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    if stored.warning:
        module.warn(stored.warning)
    module.exit_json(
        changed=stored.changed,
        path=stored.path,
        sha256=stored.sha256,
        bytes=stored.bytes,
        source=stored.source,
        resumed_from=stored.resumed_from,
    )


if __name__ == "__main__":
    main()
