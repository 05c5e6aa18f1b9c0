"""One file a DVC stage: load, call, save."""
