"""The semantic layer: metrics, dimensions, questions compiled to SQL, drill-through, targets."""
