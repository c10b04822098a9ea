"""The shared Streamlit code: server, selection in the URL, cached queries, widgets and sections."""
