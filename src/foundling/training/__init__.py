"""LightningModules, optimizers and callbacks."""
