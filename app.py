"""信贷全景 · Loan Panorama. `streamlit run app.py` (or `make run`).

The server imports this file once as the ASGI entry point and runs it again as the script of every
page view.
"""

import streamlit as st

if __name__ == "__main__":
    from pages.parts.app import frame

    frame.show()
else:
    from pages.parts.app import server

    app = st.App(
        __file__,
        middleware=server.middleware(),
        lifespan=server.lifespan,
        on_script_error=server.on_script_error,
    )
