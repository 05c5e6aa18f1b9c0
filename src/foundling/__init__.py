"""Foundling trains a GPT: from raw text to a pretrained, evaluated and fine-tuned model."""
