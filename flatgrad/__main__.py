"""``python -m flatgrad``: the same as the command ``flatgrad``. Layer: top."""

import sys

from flatgrad.cli import main

sys.exit(main())
