"""What the search space makes of public skills, as a table."""
