"""Form fields and the setup form."""
