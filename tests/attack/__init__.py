"""The standing attack: random cases, each made by a seed, that try to make batches wrong."""

import os
import pathlib
import sys

# `python -m tests.attack` finds the helpers of the tests, too, as pytest does.
sys.path.append(str(pathlib.Path(__file__).parents[1]))
# As in conftest.py: set before the first import of TensorFlow.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
