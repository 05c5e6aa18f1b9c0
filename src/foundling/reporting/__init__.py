"""The report: all metrics on one HTML page."""
