"""Sweeps of trainings: what their folders record, and how a sweep that was stopped continues."""
