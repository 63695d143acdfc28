"""Callbacks for training libraries; each module needs its library, and does nothing outside a study."""
