"""Rulebooks applied to customers and loans: explanations, batches, swap sets, compliance."""
