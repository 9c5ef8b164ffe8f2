"""`tuisim score`: predictions compared with real runs."""
