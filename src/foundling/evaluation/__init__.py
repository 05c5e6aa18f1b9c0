"""Models to scores."""
