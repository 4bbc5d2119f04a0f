# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run module gguf_synthetic in the background and show on the controller how much of the file is there."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.live import FileAction


class ActionModule(FileAction):
    """Adds nothing to the module's options."""

    MODULE = "cloudbench.llama.gguf_synthetic"
