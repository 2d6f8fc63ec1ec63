"""Bodies that are small until one reads them; see `test_bombs`."""
