"""Readers that nobody here wrote, held against ours; see `test_one_reading`."""
