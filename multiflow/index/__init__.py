"""Stage 1: folders and files become names, labels, sources and subsets; no pixel is read."""
