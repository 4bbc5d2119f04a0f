# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/site/html.py: make the HTML site of all records."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.site import html as site
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


class ActionModule(CoreAction):
    """Works from the store alone."""

    _supports_check_mode = False

    ARGUMENTS = spec(
        results_dir=dict(type="path", required=True),
        path=dict(type="path", required=True),
    )
    ERRORS = (records.RecordError, report.ReportError, site.SiteError, drawing.DrawingError, OSError)
    FAILURE = "the site could not be written: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        results_dir, path = (os.path.abspath(args[name]) for name in ("results_dir", "path"))
        pages, problems = report.render_store(results_dir)
        # The site shows the drawings that lie beside the pages.
        written = report.write(results_dir, pages, pages.figures)
        changed = site.write(path, results_dir, pages)
        return {
            "changed": bool(changed or written),
            "path": path,
            "start": os.path.join(path, "index.html"),
            "written": len(changed),
            "problems": [str(problem) for problem in problems],
        }
