"""Tickets as files that are run without this project, each with a model card beside it.

No stage: nothing in the graph depends on it, and it makes nothing stale.
"""

import signal
import sys

# `python -m tasks.export` imports for a while; until it can end in order, Ctrl-C just ends it.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
