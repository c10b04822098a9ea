"""Interface words, number formats and month names in zh-CN and en."""
