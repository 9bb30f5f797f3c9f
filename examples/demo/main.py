"""The demonstration as an ASGI application: `nexus run` serves it, and so does any ASGI server."""

from nexus import create_nexus_app

app = create_nexus_app()
