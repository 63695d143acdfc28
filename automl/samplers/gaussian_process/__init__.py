"""The Gaussian-process sampler: regression, acquisition function, and fitting in the background."""
