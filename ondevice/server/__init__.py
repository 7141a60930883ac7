"""HTTP on loopback: the OpenAI-compatible API, the management API and the web page."""
