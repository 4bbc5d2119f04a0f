# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests of the catalog there are: the one on request is none where nobody asks, so that nothing is skipped."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("CLOUDBENCH_EC2_SEEN") else ["test_processors_seen.py"]
