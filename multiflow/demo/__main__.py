"""`python -m multiflow.demo`."""

import sys

from multiflow.demo.classification import main

sys.exit(main())
