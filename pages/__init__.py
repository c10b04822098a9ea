"""One folder per section of the menu.

No page lies in this folder itself: a file here would break cold deep links.
"""
