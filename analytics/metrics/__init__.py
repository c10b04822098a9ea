"""The semantic layer: declared metrics and dimensions, a Question compiled to one SQL text, drill-through, targets."""
