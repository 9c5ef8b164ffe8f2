"""The screens: layout, bindings and routing. They draw nothing themselves and compute no number."""
