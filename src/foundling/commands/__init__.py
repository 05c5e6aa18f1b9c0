"""What one does with the pipeline's results, outside of DVC: one file a command."""
