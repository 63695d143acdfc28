"""What a user asks for: study file, options, text and policy."""
