"""Bodies that nobody would write, for every format and every content coding: `make fuzz`."""
