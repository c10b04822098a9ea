"""What is computed: marts, declared metrics, rulebooks. Never imports streamlit."""
