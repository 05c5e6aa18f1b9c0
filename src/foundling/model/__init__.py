"""Ids to logits in pure torch: attention, blocks, the GPT and its loss."""
