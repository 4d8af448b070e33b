"""One ASGI application and its server: public page, health, metrics, and the bridges' routes."""
