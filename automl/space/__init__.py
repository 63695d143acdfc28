"""Search spaces: parameters, conditions, and why each parameter is in or out."""
