# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/site/html.py: make the HTML site of all records."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.site import html as site
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


class ActionModule(ActionBase):
    """Runs on the controller alone, from the store alone."""

    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                results_dir=dict(type="path", required=True),
                path=dict(type="path", required=True),
            )
        )
        results_dir, path = (os.path.abspath(args[name]) for name in ("results_dir", "path"))
        try:
            pages, problems = report.render_store(results_dir)
            # The site shows the drawings that lie beside the pages.
            written = report.write(results_dir, pages, pages.figures)
            changed = site.write(path, results_dir, pages)
        except (records.RecordError, report.ReportError, site.SiteError, drawing.DrawingError, OSError) as error:
            raise AnsibleActionFail("the site could not be written: %s" % error) from error
        return dict(
            result,
            changed=bool(changed or written),
            path=path,
            start=os.path.join(path, "index.html"),
            written=len(changed),
            problems=[str(problem) for problem in problems],
        )
