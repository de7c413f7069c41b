"""Ratios measured within one run on the same work; absolute times are printed, never asserted."""
