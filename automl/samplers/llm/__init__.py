"""The sampler that asks a language model, and the door to its endpoint."""
