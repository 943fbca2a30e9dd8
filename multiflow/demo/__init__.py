"""Beside the stages: a demo that trains small networks, `python -m multiflow.demo`."""
