# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop and continue a process for a share of its time, until it ends: what makes it slower by a known amount.

    python hold_up.py PID SHARE SIGNALS_OF    SHARE 0: as many signals as SIGNALS_OF would have, that do nothing

Standard library alone: it is started beside each launch of benchmarks/verdicts.py, on the processors of that launch.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PERIOD_S = 0.02
TIME_LIMIT_S = 60.0


def hold_up(pid: int, share: float, signals_of: float) -> None:
    """Signal `pid` once a period until it is gone or no child of whoever started this.

    `share` of its time it is stopped; where that is 0 it gets as many signals as one of which it is `signals_of`.
    """
    started, stopped = time.monotonic(), 0.0
    while os.getppid() == pid and time.monotonic() - started < TIME_LIMIT_S:
        # A sleep takes longer than was asked for: what is owed by now is counted, not the number of stops.
        now = time.monotonic()
        owed = (share or signals_of) * (now - started) - stopped
        if owed > (share or signals_of) * PERIOD_S / 2:
            os.kill(pid, signal.SIGSTOP if share else signal.SIGCONT)
            time.sleep(owed)
            os.kill(pid, signal.SIGCONT)
            stopped += time.monotonic() - now
        time.sleep(PERIOD_S * (1 - (share or signals_of)))


if __name__ == "__main__":
    try:
        hold_up(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
    except ProcessLookupError:
        # It has ended.
        pass
