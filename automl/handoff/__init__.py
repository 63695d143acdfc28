"""Hand-over: the best checkpoint, evaluated, exported and quantised by the skill's own actions."""
