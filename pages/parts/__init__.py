"""The only shared Streamlit code: the bank, the choice in the URL, and the parts that pages are put together from."""
