"""Model skills: what they are, where their files lie, how they are read."""
