"""Wasted work: what a step computes that changes nothing."""
