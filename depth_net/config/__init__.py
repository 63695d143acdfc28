"""The spec: one class per section, one declaration per key, and how files and overrides become these classes.

Names and defaults are those of the reference's experiment file, so that its specs load; keys of our own only add to it.
"""
