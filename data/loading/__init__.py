"""One load: cast, validate, assign surrogate keys, reconcile, publish."""
