"""Character tables, built once by `build.py` and read by `analysis.normalise`."""
