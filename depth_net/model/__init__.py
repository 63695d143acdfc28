"""The Depth Anything model, its weights in every public layout."""
