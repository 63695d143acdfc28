"""``python -m depth_net`` is the command ``depth_net``."""

import sys

from depth_net.cli import main

sys.exit(main())
