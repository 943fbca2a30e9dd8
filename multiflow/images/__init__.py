"""Stage 2: files and arrays become lazy arrays, whose samples are read one by one."""
