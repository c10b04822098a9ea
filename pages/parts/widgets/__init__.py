"""What every page is made of: charts, tables, KPI tiles, drill-through lists, definitions."""
