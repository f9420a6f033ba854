"""`python -m sigmapose` is the `sigmapose` command."""

from __future__ import annotations

import sys

from sigmapose.cli import main

if __name__ == "__main__":
    sys.exit(main())
