"""Beside the stages: what people look at, as figures and as tables."""
