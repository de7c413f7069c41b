"""Benchmarks. Goals apply to ratios within one run; absolute times are printed, never asserted."""
