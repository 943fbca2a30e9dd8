"""Stage 3: parameters, drawn once for a sample, transform its image, its masks and its weights."""
