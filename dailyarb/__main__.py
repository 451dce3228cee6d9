"""Runs the command line as `python -m dailyarb`."""

from __future__ import annotations

import sys

from dailyarb.cli import main

if __name__ == "__main__":
    sys.exit(main())
