"""One trial, from its task to its result; knows neither Ray nor the study."""
