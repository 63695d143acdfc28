"""A training program that no skill describes: what its command and its source say, as a skill in memory."""
