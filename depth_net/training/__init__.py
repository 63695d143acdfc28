"""Parts of a training run around its steps: devices, loaders, divergence, reports."""
