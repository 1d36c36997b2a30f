"""`python -m usher`.

Rules:
1. The same as the command `usher`.
"""

from __future__ import annotations

import sys

from usher.entry import main

sys.exit(main())
