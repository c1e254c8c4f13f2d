"""`python -m spectroshard`: the command line, as `spectroshard` is."""

import sys

from spectroshard.cli import main

sys.exit(main())
