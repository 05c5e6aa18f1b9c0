"""The commands that use the pipeline's results outside of DVC, one per file."""
