"""Stage 3: parameters, drawn once for a sample, transform its image and what goes with it."""
