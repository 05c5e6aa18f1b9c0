"""The DVC stages, one per file: load the inputs, call the packages that compute, save the results."""
