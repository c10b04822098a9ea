"""Builds the loan and customer marts and the trend cubes, each month from the month before."""
