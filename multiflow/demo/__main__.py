"""`python -m multiflow.demo`."""

import sys

from multiflow.demo.command import main

sys.exit(main())
