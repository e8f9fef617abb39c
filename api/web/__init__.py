"""The dashboard: its pages, their templates and their static files."""
