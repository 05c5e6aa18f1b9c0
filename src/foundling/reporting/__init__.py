"""Metrics to one page."""
