"""Random effects integrated out; its parts are imported by those who integrate."""
