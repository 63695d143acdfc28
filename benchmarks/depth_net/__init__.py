"""Speed of the trainer, side by side with the published model in a plain training loop."""
